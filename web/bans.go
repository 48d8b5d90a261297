package web

import (
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// Ban is a source that SIP gets no answer at, and no connection, for a time.
type Ban struct {
	Source       netip.Prefix // an IPv4 address (/32) or a network of IPv6 (/64)
	Why          string       // login, scanner or calls
	Since, Until time.Time
	Times        int // bans that are not forgiven, with this one
}

// banDTO is a ban as the API writes it. An IPv4 source is written as an address.
type banDTO struct {
	Source string `json:"source"`
	Why    string `json:"why"`
	Since  stamp  `json:"since"`
	Until  stamp  `json:"until"`
	Times  int    `json:"times"`
}

func (z zone) ban(b Ban) banDTO {
	source := b.Source.String()
	if b.Source.IsSingleIP() {
		source = b.Source.Addr().String()
	}
	return banDTO{Source: source, Why: b.Why, Since: z.at(b.Since), Until: z.at(b.Until), Times: b.Times}
}

// bans is /api/v1/bans: those in force at this node, the first to end first.
func (s *Server) bans(w http.ResponseWriter, _ *http.Request) error {
	if s.o.Bans == nil {
		return notFound("nobody is banned here")
	}
	return writeJSON(w, struct {
		Bans []banDTO `json:"bans"`
	}{each(s.o.Bans(), s.zone().ban)})
}

// unban is DELETE of /api/v1/bans/{address}, which may be any of a banned network. Who did it is logged.
func (s *Server) unban(w http.ResponseWriter, r *http.Request) error {
	if s.o.Unban == nil {
		return notFound("nobody is banned here")
	}
	address, err := netip.ParseAddr(r.PathValue("address"))
	if err != nil || address.Zone() != "" {
		return badRequest("address: an IP address is needed, such as 203.0.113.5 or 2001:db8::1", err)
	}
	lifted := s.o.Unban(address)
	call.Audit(s.o.Logger).Info("audit: unban", zap.String("by", bearerOf(r).name), zap.Stringer("address", address),
		zap.Bool("lifted", lifted), zap.String("client", r.RemoteAddr))
	if !lifted {
		return notFound("that address is not banned at this node")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
