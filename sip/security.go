package sip

import (
	"errors"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
)

// securityOf is whether the audio of a call that comes in is to be encrypted: as its agent has it, else its trunk.
func (u *UA) securityOf(in *call.Incoming) media.Security {
	if in.Agent != "" {
		return u.registrar.security(in.Agent)
	}
	for _, t := range u.plan().list {
		if t.name == in.Trunk {
			return t.secure
		}
	}
	return media.SecurityOff // the trunk is no more, since a moment ago
}

// security is whether audio with an agent's phone is to be encrypted.
func (r *registrar) security(agent string) media.Security {
	return r.directory.Load().agents[agent].Secure
}

// warningsOfMedia say to whoever looks into it why an offer was refused, where the status does not (RFC 3261 section
// 20.43: 302 is a transport protocol that is not taken).
func warningsOfMedia(err error) []sipmsg.Header {
	var why string
	switch {
	case errors.Is(err, media.ErrNotSecure):
		why = "audio must be encrypted: RTP/SAVP with a=crypto of AEAD_AES_128_GCM or AES_CM_128_HMAC_SHA1_80, without MKI"
	case errors.Is(err, media.ErrDTLS):
		why = "audio of browsers (DTLS-SRTP) is not spoken here: call from a softphone, with RTP/AVP or RTP/SAVP"
	default:
		return nil
	}
	return []sipmsg.Header{sipmsg.NewHeader("Warning", `302 `+serverName+` "`+why+`"`)}
}

// mute tells the operator of an agent who can be rung and not be talked to, since the phone takes no audio that we offer. The
// agent is passed over as one who cannot be reached, and would otherwise be looked for where the network is.
func (r *ringing) mute(res *sipmsg.Response) {
	if r.o.agent == "" || res.StatusCode != sipmsg.StatusNotAcceptableHere && res.StatusCode != sipmsg.StatusGlobalNotAcceptable {
		return
	}
	r.ua.limited(zap.WarnLevel, "agent's phone takes no audio that it is offered", zap.String("agent", r.o.agent),
		zap.Int("code", res.StatusCode), zap.String("transport", r.o.hop.transport),
		zap.String("hint", "a page's audio is DTLS-SRTP, which is not spoken here; a softphone has a codec of ours, and SRTP as srtp of the agent says"))
}

// encrypt answers a phone that refuses our offer with one that it may take: where SRTP is optional we offer RTP/AVP with
// keys beside, and one whose operator has made SRTP compulsory may want RTP/SAVP instead. It is tried once, on a
// stream of its own: what was offered on the first is no more.
func (r *ringing) encrypt(*sipmsg.Response) bool {
	if r.o.media.Secure != media.SecurityOptional {
		return false
	}
	r.o.media.Secure = media.SecurityRequired
	return r.anew(r.o.hop) == nil
}
