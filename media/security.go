package media

import "fmt"

// Security says whether a stream's audio is encrypted (SRTP, RFC 3711) with keys that the session descriptions carry
// (SDES, RFC 4568). Whoever can read the signalling can read the keys.
type Security string

// The ways. The zero value means SecurityOff.
const (
	// SecurityOff: RTP only. Keys in an offer are ignored, and one of RTP/SAVP alone is not acceptable.
	SecurityOff Security = "off"
	// SecurityOptional: SRTP with whoever has it. Our offers are of RTP/AVP with keys beside, which those ignore who know
	// none: RFC 4568 has no way to leave the choice to the far end, and this is the one that phones have found. One that
	// takes RTP/SAVP alone refuses it, and can be offered that by a stream that requires it. In offers of others
	// the line that is encrypted is preferred.
	SecurityOptional Security = "optional"
	// SecurityRequired: SRTP or nothing. Our offers are of RTP/SAVP; an offer without a key that we can use is
	// answered by ErrNotSecure.
	SecurityRequired Security = "required"
)

// Errors of negotiation about security, beside ErrNotAcceptable.
var (
	// ErrNotSecure: the description has audio that we could take if it were encrypted. It wraps ErrNotAcceptable.
	ErrNotSecure = fmt.Errorf("%w: audio is to be encrypted (SRTP), and there is no key for it that can be used", ErrNotAcceptable)
	// ErrDTLS: the keys of the audio that is offered are agreed on beside RTP (DTLS-SRTP, RFC 5763), as those of every
	// browser are; here they are not. It wraps ErrNotAcceptable.
	ErrDTLS = fmt.Errorf("%w: audio is over DTLS-SRTP, as a browser's, which is not spoken here", ErrNotAcceptable)
)
