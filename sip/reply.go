package sip

import (
	"net/http"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// Statuses sipgo has no name for.
const (
	statusUnsupportedScheme = 416 // Unsupported URI Scheme (RFC 3261 section 21.4.14)
	statusFlowFailed        = 430 // Flow Failed (RFC 5626 section 11.5)
	statusMultipleChoices   = 300 // Multiple Choices (RFC 3261 section 21.3.1)
	statusUndecipherable    = 493 // Undecipherable (RFC 3261 section 21.4.27)
	statusBadEvent          = 489 // Bad Event (RFC 6665 section 8.3.2)
)

// refusals is the table from why a leg is ended to the status that ends it when it was never answered.
// None carries Retry-After: with it a sender may withhold everything from us, gas alarms too (RFC 3261
// section 21.5.4).
var refusals = map[call.Cause]int{
	call.CauseBye:         sipmsg.StatusTemporarilyUnavailable,
	call.CauseCancel:      sipmsg.StatusRequestTerminated,
	call.CauseNoAck:       sipmsg.StatusRequestTimeout,
	call.CauseTransport:   sipmsg.StatusServiceUnavailable,
	call.CauseNoMedia:     sipmsg.StatusTemporarilyUnavailable,
	call.CauseBusy:        sipmsg.StatusBusyHere,
	call.CauseDeclined:    sipmsg.StatusGlobalDecline,
	call.CauseUnreachable: sipmsg.StatusTemporarilyUnavailable,
	call.CauseNoAnswer:    sipmsg.StatusTemporarilyUnavailable,
	call.CauseWithdrawn:   sipmsg.StatusTemporarilyUnavailable,
	call.CauseElsewhere:   sipmsg.StatusTemporarilyUnavailable,
	call.CauseNotFound:    sipmsg.StatusNotFound,
	call.CauseForbidden:   sipmsg.StatusForbidden,
	call.CauseShutdown:    sipmsg.StatusServiceUnavailable,
	call.CauseOverload:    sipmsg.StatusBusyHere,
	call.CauseError:       sipmsg.StatusInternalServerError,
}

// statusOf is the final status for a leg ended before its answer.
func statusOf(why call.Cause) int {
	if code, ok := refusals[why]; ok {
		return code
	}
	return sipmsg.StatusInternalServerError
}

// verdicts is the table from a phone's refusal to what it says about the person or the phone; a status
// that is not in it is judged by its class in causeOf.
var verdicts = map[int]call.Cause{
	sipmsg.StatusBusyHere:                     call.CauseBusy,
	sipmsg.StatusGlobalBusyEverywhere:         call.CauseBusy,
	sipmsg.StatusForbidden:                    call.CauseDeclined,
	sipmsg.StatusTemporarilyUnavailable:       call.CauseDeclined,
	sipmsg.StatusGlobalDecline:                call.CauseDeclined,
	sipmsg.StatusNotFound:                     call.CauseUnreachable,
	sipmsg.StatusRequestTimeout:               call.CauseUnreachable,
	sipmsg.StatusGone:                         call.CauseUnreachable,
	statusFlowFailed:                          call.CauseUnreachable,
	sipmsg.StatusCallTransactionDoesNotExists: call.CauseUnreachable,
	sipmsg.StatusNotAcceptableHere:            call.CauseUnreachable, // the phone shares no codec with us
	sipmsg.StatusGlobalNotAcceptable:          call.CauseUnreachable,
	sipmsg.StatusGlobalDoesNotExistAnywhere:   call.CauseUnreachable,
	sipmsg.StatusRequestTerminated:            call.CauseWithdrawn,
	// The phone could not take our INVITE, and asked nobody.
	sipmsg.StatusBadRequest:           call.CauseUnreachable,
	sipmsg.StatusMethodNotAllowed:     call.CauseUnreachable,
	sipmsg.StatusNotAcceptable:        call.CauseUnreachable,
	sipmsg.StatusUnsupportedMediaType: call.CauseUnreachable,
	statusUnsupportedScheme:           call.CauseUnreachable,
	sipmsg.StatusBadExtension:         call.CauseUnreachable,
	sipmsg.StatusRequestPending:       call.CauseUnreachable,
}

// causeOf reads a final status that is not 2xx. Status 0 stands for no response at all.
func causeOf(code int) call.Cause {
	if c, ok := verdicts[code]; ok {
		return c
	}
	switch {
	case code >= 600, code >= 300 && code < 500: // one who sends callers elsewhere does not take them (see redirect)
		return call.CauseDeclined
	default: // none, failures of the server
		return call.CauseUnreachable
	}
}

// noSuchNumber reports whether a carrier's refusal is of the number called, whoever might be reached by it: it is not found (RFC 3261
// section 21.4.5), gone for good (21.4.10), incomplete (21.4.22), not one alone (21.4.23) or exists nowhere (21.6.3). Gateways say
// so of what the telephone network has as unallocated, changed or incomplete (RFC 3398 section 7.2.4.1). An agent's phone says by the
// same statuses that it is not, or not any more, whom we registered: see verdicts.
func noSuchNumber(code int) bool {
	switch code {
	case sipmsg.StatusNotFound, sipmsg.StatusGone, sipmsg.StatusAddressIncomplete, sipmsg.StatusAmbiguous,
		sipmsg.StatusGlobalDoesNotExistAnywhere:
		return true
	}
	return false
}

// reason is the phrase beside a status; it is for people only (RFC 3261 section 7.2).
func reason(code int) string {
	if r, ok := reasons[code]; ok {
		return r
	}
	if r := http.StatusText(code); r != "" {
		return r
	}
	return "Error"
}

// reasons has the phrases of RFC 3261 section 21 that HTTP does not have, or has otherwise.
var reasons = map[int]string{
	sipmsg.StatusTrying:                       "Trying",
	sipmsg.StatusRinging:                      "Ringing",
	sipmsg.StatusRequestTimeout:               "Request Timeout",
	sipmsg.StatusBadExtension:                 "Bad Extension",
	sipmsg.StatusTemporarilyUnavailable:       "Temporarily Unavailable",
	sipmsg.StatusCallTransactionDoesNotExists: "Call/Transaction Does Not Exist",
	sipmsg.StatusLoopDetected:                 "Loop Detected",
	sipmsg.StatusBusyHere:                     "Busy Here",
	sipmsg.StatusTooManyHops:                  "Too Many Hops",
	sipmsg.StatusAddressIncomplete:            "Address Incomplete",
	sipmsg.StatusRequestTerminated:            "Request Terminated",
	sipmsg.StatusNotAcceptableHere:            "Not Acceptable Here",
	statusUnsupportedScheme:                   "Unsupported URI Scheme",
	statusIntervalTooSmall:                    "Session Interval Too Small",
	statusBadEvent:                            "Bad Event",
	sipmsg.StatusRequestPending:               "Request Pending",
	sipmsg.StatusInternalServerError:          "Server Internal Error",
	statusUndecipherable:                      "Undecipherable",
	sipmsg.StatusVersionNotSupported:          "Version Not Supported",
	sipmsg.StatusMessageTooLarge:              "Message Too Large",
	sipmsg.StatusGlobalDecline:                "Decline",
}
