package ivr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CallerVariable is the name that stands for the caller's number.
const CallerVariable = "caller"

// Faults of an address with variables in it.
var (
	errNoHost   = errors.New("no address of http or https with a fixed host")
	errBraces   = errors.New("a brace that is no {NAME}")
	errUserInfo = errors.New("a user or a fragment in the address")
)

var variablePattern = regexp.MustCompile(`\{([A-Za-z0-9][A-Za-z0-9_-]{0,63})\}`)

// address is a URL with variables in its path and query.
type address struct {
	base  string // scheme and host: nothing that a caller keyed is ever among it
	path  string
	query string // from the ? on
}

func parseAddress(text string) (*address, error) {
	plain := variablePattern.ReplaceAllString(text, "x")
	u, err := url.Parse(plain)
	switch {
	case err != nil:
		return nil, err
	case strings.ContainsAny(plain, "{}"):
		return nil, errBraces
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return nil, errNoHost
	case u.User != nil || u.Fragment != "" || strings.Contains(text, "#"):
		return nil, errUserInfo
	}
	after := len(u.Scheme) + len("://")
	if !strings.HasPrefix(strings.ToLower(text), u.Scheme+"://") {
		return nil, errNoHost
	}
	end := len(text)
	if i := strings.IndexAny(text[after:], "/?"); i >= 0 {
		end = after + i
	}
	a := &address{base: text[:end]}
	if strings.Contains(a.base, "{") {
		return nil, errNoHost
	}
	a.path, a.query = text[end:], ""
	if i := strings.Index(a.path, "?"); i >= 0 {
		a.path, a.query = a.path[:i], a.path[i:]
	}
	return a, nil
}

// names are the variables, as often as they stand there.
func (a *address) names() []string {
	var names []string
	for _, m := range variablePattern.FindAllStringSubmatch(a.path+a.query, -1) {
		names = append(names, m[1])
	}
	return names
}

// expand puts values in, escaped (RFC 3986 section 2.1). Errors: errNoValue for one that would make another path
// of it, errTooLong.
func (a *address) expand(value func(name string) string) (string, error) {
	bad := false
	path := variablePattern.ReplaceAllStringFunc(a.path, func(name string) string {
		v := value(name[1 : len(name)-1])
		bad = bad || v == "" || strings.Trim(v, ".") == ""
		return url.PathEscape(v)
	})
	query := variablePattern.ReplaceAllStringFunc(a.query, func(name string) string {
		return url.QueryEscape(value(name[1 : len(name)-1]))
	})
	whole := a.base + path + query
	switch {
	case bad:
		return "", errNoValue
	case len(whole) > maxRequest:
		return "", errTooLong
	}
	return whole, nil
}

// plainFields reads a JSON object: its fields that are text, numbers or truth, as text that can be kept.
func plainFields(body []byte) (map[string]string, error) {
	if len(body) > maxReply {
		return nil, errTooLong
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		// What the decoder says may quote the answer.
		return nil, errNoObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || object == nil {
		return nil, errNoObject
	}
	fields := make(map[string]string, len(object))
	for name, value := range object {
		switch value := value.(type) {
		case string:
			if utf8.ValidString(value) && strings.IndexFunc(value, unicode.IsControl) < 0 {
				fields[name] = value
			}
		case json.Number, bool:
			fields[name] = fmt.Sprint(value)
		}
	}
	return fields, nil
}
