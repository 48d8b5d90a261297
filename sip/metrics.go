package sip

import (
	"errors"
	"strconv"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/prometheus/client_golang/prometheus"
)

// Why something was dropped unanswered; a metric's label, so a closed set.
const (
	dropTooBig    = "too-big"         // larger than any message we would read, and not to be answered
	dropNotSIP    = "not-sip"         // no SIP/ in its first line
	dropNoEnd     = "no-end"          // its headers do not end
	dropLength    = "content-length"  // no length, or one larger than the datagram
	dropNoVia     = "no-via"          // nothing to send an answer by
	dropMalformed = "malformed"       // not to be read, and not to be answered: a response, no CSeq
	dropACK       = "bad-ack"         // an ACK that is not to be believed; nothing answers one
	dropStrayACK  = "stray-ack"       // an ACK to nothing we answered, or to what is over
	dropReflected = "reflected"       // its answer would be larger than itself
	dropNoWay     = "no-way"          // no way to where its answer should go, or its connection is gone
	dropUnsent    = "unsent"          // the system could not send its answer
	dropHost      = "host-rate"       // too much from one stranger
	dropStrangers = "stranger-rate"   // too much from all strangers
	dropKnown     = "known-rate"      // too much in the name of one host that we know, or of all
	dropInvites   = "invite-rate"     // too many INVITEs of one stranger, or of all
	dropConnects  = "connection-rate" // too many TCP connections of one stranger, or of all, in a time
	dropBanned    = "banned"          // from a banned source
	dropScanner   = "scanner"         // from a stranger who calls itself a scanner
	dropStray     = "stray-response"  // a response to nothing we asked
	dropConn      = "connection"      // too many connections
	dropIdle      = "idle-connection" // a connection without a message for too long
	dropHandshake = "handshake"       // a connection whose handshake (TLS) failed, or took too long
	dropAccept    = "accept-failed"   // the system could not accept a connection
	dropUnread    = "unread"          // the kernel had no room for it: it is not read as fast as it comes
	dropRead      = "read-failed"     // the system could not read a datagram
)

// What became of a REGISTER; a metric's label, so a closed set.
const (
	registerNew        = "registered"   // of an agent who was not
	registerRefreshed  = "refreshed"    // by the phone that was there, perhaps restarted or elsewhere
	registerTakenOver  = "taken-over"   // by another phone
	registerRemoved    = "unregistered" // by the phone
	registerQueried    = "queried"      // changed nothing
	registerChallenged = "challenged"   // no credentials: 401
	registerStale      = "stale"        // right credentials with a used nonce, or any with an old one: 401
	registerWrong      = "wrong"        // wrong credentials: 401
	registerForeign    = "foreign"      // right credentials, for another's address: 403
	registerBusy       = "agent-busy"   // another phone while the agent is not idle: 403
	registerSuperseded = "superseded"   // the phone whose place another has taken: 403
	registerTooBrief   = "too-brief"    // 423
	registerOutOfOrder = "out-of-order" // an old CSeq: 500
	registerMalformed  = "malformed"    // 400
	registerUnproven   = "unproven"     // credentials by UDP with a nonce that was not made for their host: 401
	registerSlowed     = "slowed"       // not judged, since too many were wrong for the account, or in all: no answer
	registerMovesOn    = "moves-on"     // 503: this node drains, and there are others
)

// loginAdmitted: an INVITE whose credentials were right. The other outcomes are those of a REGISTER that is refused.
const loginAdmitted = "admitted"

const (
	methodOther  = "other"
	metricPrefix = "hotline"
	metricSIP    = "sip"
	labelOutcome = "outcome"
	labelTrunk   = "trunk"
)

// metrics of the user agent; all are silent without a registry.
type metrics struct {
	requests  *prometheus.CounterVec
	responses *prometheus.CounterVec
	dropped   *prometheus.CounterVec
	registers *prometheus.CounterVec
	postDial  prometheus.Histogram
	redirects *prometheus.CounterVec
	dialled   *prometheus.CounterVec
	gates     *prometheus.CounterVec
	certs     *prometheus.CounterVec
	expires   *prometheus.GaugeVec // of certificates
	trunks    *prometheus.CounterVec
	logins    *prometheus.CounterVec
	made      *prometheus.CounterVec // connections

	trunkFiles *prometheus.CounterVec // of TLS, read

	admissions *prometheus.CounterVec
	waits      prometheus.Histogram
	bans       *prometheus.CounterVec

	byMethod *counters[string] // of requests
	byStatus *counters[status] // of responses
}

// status is what a response is counted by.
type status struct {
	method string // as methodLabel has it
	code   int
}

// What became of a redirection; a metric's label.
const (
	redirectFollowed = "followed"
	redirectRefused  = "refused"
)

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricPrefix, Subsystem: metricSIP, Name: "requests_total",
			Help: "SIP requests received, by method; retransmissions count.",
		}, []string{"method"}),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricPrefix, Subsystem: metricSIP, Name: "responses_total",
			Help: "SIP responses sent, by method of the request and status; retransmissions do not count.",
		}, []string{"method", "code"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricPrefix, Subsystem: metricSIP, Name: "dropped_total",
			Help: "What arrived and was dropped unanswered, by reason.",
		}, []string{"reason"}),
		registers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricPrefix, Name: "registrations_total",
			Help: "REGISTER requests that the registrar saw, by what became of them.",
		}, []string{labelOutcome}),
		postDial: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: metricPrefix, Name: "post_dial_seconds",
			Help:    "From the INVITE received to the first 18x or 200 sent.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		redirects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricPrefix, Subsystem: metricSIP, Name: "redirects_total",
			Help: "3xx responses to our INVITEs, by what became of them.",
		}, []string{labelOutcome}),
		dialled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricPrefix, Name: "dial_total",
			Help: "Numbers outside that were to be called, by trunk (empty when no rule allows the number) and by what became of it.",
		}, []string{labelTrunk, labelOutcome}),
	}
	m.gates = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Subsystem: metricSIP, Name: "gate_total",
		Help: "INVITEs with a claim on an agent whose phone is registered here, by what its gate said.",
	}, []string{"verdict"})
	m.certs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Subsystem: metricSIP, Name: "certificate_loads_total",
		Help: "Certificates of listeners read from their files, by outcome: loaded, refused (the one before stays).",
	}, []string{labelOutcome})
	m.expires = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: metricPrefix, Subsystem: metricSIP, Name: "certificate_expires_timestamp",
		Help: "When the certificate of a listener ends, in seconds since 1970.",
	}, []string{"listener"})
	m.trunks, m.logins = newTrunkMetrics()
	m.made, m.trunkFiles = newConnectionMetrics()
	m.admissions, m.waits = newLoadMetrics()
	m.bans = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Subsystem: metricSIP, Name: "bans_total",
		Help: "Sources that were banned, by why.",
	}, []string{"why"})
	for _, why := range []string{banLogin, banScanner, banCalls} {
		m.bans.WithLabelValues(why)
	}
	m.byMethod = newCounters(m.requests, func(method string) []string { return []string{method} })
	m.byStatus = newCounters(m.responses, func(s status) []string { return []string{s.method, strconv.Itoa(s.code)} })
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.responses, m.dropped, m.registers, m.postDial, m.redirects, m.dialled, m.gates, m.certs, m.expires, m.trunks,
		m.logins, m.made, m.trunkFiles, m.admissions, m.waits, m.bans,
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// newTrunkMetrics makes those of who logs in where.
func newTrunkMetrics() (registrations, logins *prometheus.CounterVec) {
	registrations = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Name: "trunk_registrations_total",
		Help: "REGISTERs of trunks to their carriers, by trunk and by what became of them.",
	}, []string{labelTrunk, labelOutcome})
	logins = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Name: "trunk_logins_total",
		Help: "INVITEs to a number of a trunk that logs in, from no trunk's address, by what became of them.",
	}, []string{labelOutcome})
	return registrations, logins
}

// gauge shows a number that is asked for when the metrics are read.
func gauge(r prometheus.Registerer, name, help string, read func() float64) error {
	if r == nil {
		return nil
	}
	return r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: metricPrefix, Subsystem: metricSIP, Name: name, Help: help,
	}, read))
}

func (m *metrics) request(method sipmsg.RequestMethod) {
	m.byMethod.inc(methodLabel(method))
}

func (m *metrics) response(method sipmsg.RequestMethod, code int) {
	m.byStatus.inc(status{methodLabel(method), code})
}

// gateForged is the verdict on an INVITE whose claim is not to be believed; the others are a gate's.
const gateForged = "forged"

func (m *metrics) gated(verdict string) { m.gates.WithLabelValues(verdict).Inc() }

func (m *metrics) register(outcome string) { m.registers.WithLabelValues(outcome).Inc() }

func (m *metrics) login(outcome string) { m.logins.WithLabelValues(outcome).Inc() }

func (m *metrics) trunkRegister(trunk, outcome string) {
	m.trunks.WithLabelValues(trunk, outcome).Inc()
}

// What became of a connection to a trunk; a metric's label.
const (
	connectionMade        = "made"
	connectionUntrusted   = "untrusted"   // its certificate is not believed, or another's
	connectionUnreachable = "unreachable" // nobody is there, or speaks TLS
)

// newConnectionMetrics makes those of connections to trunks.
func newConnectionMetrics() (made, files *prometheus.CounterVec) {
	made = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Name: "trunk_connections_total",
		Help: "Connections (TCP, TLS) to trunks, by trunk and by what became of them.",
	}, []string{labelTrunk, labelOutcome})
	files = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Name: "trunk_certificate_loads_total",
		Help: "Readings of the files of a trunk's TLS (authorities, certificate, key), by outcome: loaded, refused (those before stay).",
	}, []string{labelTrunk, labelOutcome})
	return made, files
}

func (m *metrics) connection(trunk string, err error) {
	outcome := connectionMade
	switch {
	case errors.Is(err, errUntrusted):
		outcome = connectionUntrusted
	case err != nil:
		outcome = connectionUnreachable
	}
	m.made.WithLabelValues(trunk, outcome).Inc()
}

func (m *metrics) drop(reason string) { m.dropped.WithLabelValues(reason).Inc() }

// methodLabel keeps the label's values a closed set: a sender may write anything as a method.
func methodLabel(m sipmsg.RequestMethod) string {
	switch m {
	case sipmsg.INVITE, sipmsg.ACK, sipmsg.CANCEL, sipmsg.BYE, sipmsg.REGISTER, sipmsg.OPTIONS,
		sipmsg.INFO, sipmsg.UPDATE, sipmsg.PRACK, sipmsg.REFER, sipmsg.SUBSCRIBE, sipmsg.NOTIFY,
		sipmsg.MESSAGE, sipmsg.PUBLISH:
		return string(m)
	default:
		return methodOther
	}
}
