package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// address is where the servers are, as a URL told it.
type address struct {
	kind             kind
	hosts            []string // of servers, or of sentinels
	master           string   // behind sentinels
	user, password   string
	sUser, sPassword string // the sentinels'
	db               int
	tls              *tls.Config
}

// kind is what is at the address.
type kind int

const (
	single kind = iota
	sentinel
	cluster
)

var (
	siteName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	schemes  = map[string]struct {
		kind   kind
		secret bool
		port   string
	}{
		"redis": {single, false, "6379"}, "rediss": {single, true, "6379"},
		"redis+sentinel": {sentinel, false, "26379"}, "rediss+sentinel": {sentinel, true, "26379"},
		"redis+cluster": {cluster, false, "6379"}, "rediss+cluster": {cluster, true, "6379"},
	}
)

func checkSite(name string) error {
	if !siteName.MatchString(name) {
		return fmt.Errorf("the site's name %q is not 1 to 64 letters, digits, '.', '_' and '-'", name)
	}
	return nil
}

// Check reports what is wrong with a URL and its CA file, without a word of the URL but host names:
//
//	redis://[user:password@]host[:6379][/db]
//	rediss://…                                     with TLS
//	redis+sentinel://[user:password@]host[:26379],host2…/master[/db][?sentinel_user=…&sentinel_password=…]
//	redis+cluster://[user:password@]host[:6379],host2…
//	rediss+sentinel://…, rediss+cluster://…        with TLS
//
// Of a user without a name (":password@") the password is the server's own (requirepass).
func Check(rawURL, ca string) error {
	_, err := parse(rawURL, ca)
	return err
}

// parse reads a URL. It is not for package url alone: that has no lists of hosts, and repeats in its errors what it was given.
func parse(rawURL, ca string) (address, error) {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	how, known := schemes[scheme]
	if !known {
		return address{}, errors.New("the URL of the book is none of redis://, rediss://, redis+sentinel:// and redis+cluster:// (or rediss+…)")
	}
	a := address{kind: how.kind}
	rest, query, _ := strings.Cut(rest, "?")
	rest, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		var err error
		if a.user, a.password, err = credentials(rest[:at]); err != nil {
			return address{}, err
		}
		rest = rest[at+1:]
	}
	if err := a.setHosts(rest, how.port); err != nil {
		return address{}, err
	}
	if err := a.setPath(path); err != nil {
		return address{}, err
	}
	if err := a.setQuery(query); err != nil {
		return address{}, err
	}
	return a, a.setTLS(how.secret, ca)
}

var errCredentials = errors.New("the URL of the book: user or password have a '%' that begins no escape (write %25), or the like")

func credentials(text string) (user, password string, err error) {
	user, password, _ = strings.Cut(text, ":")
	user, err = url.PathUnescape(user)
	if err != nil {
		return "", "", errCredentials
	}
	if password, err = url.PathUnescape(password); err != nil {
		return "", "", errCredentials
	}
	return user, password, nil
}

func (a *address) setHosts(list, port string) error {
	for i, h := range strings.Split(list, ",") {
		host, p, err := net.SplitHostPort(h)
		if err != nil {
			host, p = strings.Trim(h, "[]"), port
		}
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "@/? ") {
			// The text may be a part of a password that has an unescaped '/' or '@'.
			return fmt.Errorf("the URL of the book: host %d of its list is no host and port; a '/', '?', '@' or '%%' of a password is to be escaped", i+1)
		}
		a.hosts = append(a.hosts, net.JoinHostPort(host, p))
	}
	if a.kind == single && len(a.hosts) > 1 {
		return errors.New("the URL of the book: redis:// is one server; several are redis+sentinel:// or redis+cluster://")
	}
	return nil
}

func (a *address) setPath(path string) error {
	db := path
	if a.kind == sentinel {
		if a.master, db, _ = strings.Cut(path, "/"); a.master == "" {
			return errors.New("the URL of the book: behind Sentinel the path names the master: redis+sentinel://host:26379/mymaster")
		}
	}
	if db == "" {
		return nil
	}
	n, err := strconv.ParseUint(db, 10, 16)
	switch {
	case err != nil:
		return errors.New("the URL of the book: the path's end is no number of a database")
	case a.kind == cluster && n != 0:
		return errors.New("the URL of the book: a Cluster has no database but 0")
	}
	a.db = int(n)
	return nil
}

func (a *address) setQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the URL of the book: what is behind the '?' cannot be read")
	}
	for key, v := range values {
		switch {
		case a.kind == sentinel && key == "sentinel_user":
			a.sUser = v[0]
		case a.kind == sentinel && key == "sentinel_password":
			a.sPassword = v[0]
		default:
			return errors.New("the URL of the book: there is something behind the '?' but sentinel_user and sentinel_password (of redis+sentinel://)")
		}
	}
	return nil
}

func (a *address) setTLS(secret bool, ca string) error {
	switch {
	case !secret && ca != "":
		return errors.New("a CA file is for rediss:// alone: this URL of the book has no TLS")
	case !secret:
		return nil
	}
	a.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if ca == "" {
		return nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return fmt.Errorf("read the CA file of the book's server: %w", err)
	}
	a.tls.RootCAs = x509.NewCertPool()
	if !a.tls.RootCAs.AppendCertsFromPEM(text) {
		return fmt.Errorf("the CA file of the book's server, %s, has no certificate (PEM)", ca)
	}
	return nil
}

// client makes a pool of at most some connections, whose answers come within a time or the context's deadline.
func (a address) client(connections int, answers time.Duration) redis.UniversalClient {
	switch a.kind {
	case sentinel:
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: a.master, SentinelAddrs: a.hosts, SentinelUsername: a.sUser, SentinelPassword: a.sPassword,
			Username: a.user, Password: a.password, DB: a.db, TLSConfig: a.tls, Protocol: 2, DisableIdentity: true,
			MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, PoolSize: connections,
			DialTimeout: dialFor, ReadTimeout: answers, WriteTimeout: answerFor, PoolTimeout: answerFor,
		})
	case cluster:
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: a.hosts, Username: a.user, Password: a.password, TLSConfig: a.tls, Protocol: 2, DisableIdentity: true,
			MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, PoolSize: connections,
			DialTimeout: dialFor, ReadTimeout: answers, WriteTimeout: answerFor, PoolTimeout: answerFor,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		})
	case single:
	}
	return redis.NewClient(&redis.Options{
		Addr: a.hosts[0], Username: a.user, Password: a.password, DB: a.db, TLSConfig: a.tls, Protocol: 2,
		DisableIdentity: true, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, PoolSize: connections,
		DialTimeout: dialFor, ReadTimeout: answers, WriteTimeout: answerFor, PoolTimeout: answerFor,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}
