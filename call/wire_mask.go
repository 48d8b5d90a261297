package call

import (
	"bytes"
	"regexp"
)

// MaskMessage is a message's text with the telephone numbers hidden as MaskLadder hides them, and with every key that
// was pressed (RFC 2976, as application/dtmf-relay and application/dtmf have it) and every body but a session
// description hidden too: what else a message carries are people's own words. A body that is hidden has asterisks, as many
// as it had octets; masking numbers may change a length all the same. What is open can be read.
func MaskMessage(data []byte, open ...string) []byte {
	head, body, parted := bytes.Cut(data, []byte("\r\n\r\n"))
	if !parted {
		return []byte(maskText(string(head), open))
	}
	if !sessionDescription.Match(head) {
		body = blotted(body)
	}
	// As one text, so that what is a number in the head is hidden in the body too.
	return []byte(maskText(string(head)+"\r\n\r\n"+string(body), open))
}

// sessionDescription finds the header of a body that is one (RFC 8866 section 8.1), and of a part of one (RFC 8840).
var sessionDescription = regexp.MustCompile(`(?im)^(?:content-type|c)[ \t]*:[ \t]*application/(?:sdp|trickle-ice-sdpfrag)[ \t]*(?:;|\r?$)`)

func maskText(text string, open []string) string {
	return MaskLadder([]SIPMessage{{Head: text}}, open...)[0].Head
}

// blotted has an asterisk for every octet that is not a line's end.
func blotted(body []byte) []byte {
	out := bytes.Repeat([]byte{'*'}, len(body))
	for i, c := range body {
		if c == '\r' || c == '\n' {
			out[i] = c
		}
	}
	return out
}
