package sip

import (
	"slices"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// optionReliable is the option tag of reliable provisional responses (RFC 3262 section 8.1).
const optionReliable = "100rel"

// supported is our Supported: the option tags of what we understand (RFC 3261 section 20.37), which a Require may
// name.
const supported = optionReliable + ", " + optionTimer + ", " + optionNoReferSub

// optionOutbound is that of flows (RFC 5626 section 11.4): of the registrar, which alone has to do with them.
const optionOutbound = "outbound"

// ours is supported as a list.
func ours() []string { return strings.Split(supported, ", ") }

// optionTags lists the option tags in all headers of a name, as they stand there.
func optionTags(m withHeaders, name string) []string {
	return elements(m, name)
}

// elements are the values of a header that is a list, without their empty ones, of all its lines.
func elements(m withHeaders, name string) []string {
	var all []string
	for h := range named(m, name) {
		for e := range strings.SplitSeq(h.Value(), ",") {
			if e = strings.TrimSpace(e); e != "" {
				all = append(all, e)
			}
		}
	}
	return all
}

// supportedHeader is the Supported header of our requests and responses (RFC 3261 section 20.37).
func supportedHeader() sipmsg.Header { return sipmsg.NewHeader("Supported", supported) }

// unsupported lists the option tags of Require that we do not support (RFC 3261 section 8.2.2.3). Proxy-Require is
// for proxies (section 20.29).
func unsupported(req *sipmsg.Request) []string {
	tags := optionTags(req, "require")
	if len(tags) == 0 {
		return nil
	}
	if req.Method == sipmsg.REGISTER {
		return except(tags, append(ours(), optionOutbound))
	}
	return except(tags, ours())
}

// requires reports whether a message requires the extension of an option tag.
func requires(m sipmsg.Message, option string) bool {
	return among(optionTags(m, "require"), option)
}

// except returns the option tags that are not among others.
func except(tags, others []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return among(others, tag) })
}

// among reports whether an option tag is one of tags. They are tokens, which have no case (RFC 3261 section 7.3.1).
func among(tags []string, tag string) bool {
	return slices.ContainsFunc(tags, func(t string) bool { return strings.EqualFold(t, tag) })
}

// optionList is the value of a Supported or Require header.
func optionList(name string, tags []string) sipmsg.Header {
	return sipmsg.NewHeader(name, strings.Join(tags, ", "))
}
