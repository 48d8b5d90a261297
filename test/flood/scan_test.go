//go:build linux

package flood

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/icholy/digest"
	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// The hosts of a scan, each of which says one thing: 127.128.0.1 and so on, millions. None of other attacks is among them, nor
// is the hotline.
const scanHosts = (128 - 66) << 16

// scan is what whoever can claim any address may do: calls and questions, each from another.
func scan(ctx context.Context, w *town) (tally, error) {
	asks := textOf("OPTIONS sip:100@{H} SIP/2.0", "Via: SIP/2.0/UDP {S};branch=z9hG4bKo{N};rport", "Max-Forwards: 70",
		"From: <sip:100@{S}>;tag=f{N}", "To: <sip:100@{H}>", "Call-ID: o{N}", "CSeq: 1 OPTIONS", "Contact: <sip:100@{S}>",
		"User-Agent: Linphone/5.2", "Content-Length: 0", "", "")
	return w.pour(ctx, w.sip, func(n int) netip.Addr { return mobHost(scanHosts + n) }, w.scanPace, func(n int) text {
		if n%2 == 0 {
			return asks
		}
		return inviteText
	})
}

// newcomerID is the agent whose phone comes from another host each time, and newcomerHosts where those begin.
const (
	newcomerID    = "8900"
	newcomerHosts = 60_000
)

// registersByTCP and registersByUDP require that the phone of an agent can register from a host of which nothing is known. By
// TCP it can whatever comes by UDP, where any address can be claimed: what strangers may is counted apart.
func (w *town) registersByTCP() {
	w.t.Helper()
	w.registersBy("TCP", &net.TCPAddr{IP: w.newHost()})
}

func (w *town) registersByUDP() {
	w.t.Helper()
	w.registersBy("UDP", &net.UDPAddr{IP: w.newHost()})
}

func (w *town) newHost() net.IP {
	w.newcomers++
	return mobHost(newcomerHosts + w.newcomers).AsSlice()
}

func (w *town) registersBy(transport string, from net.Addr) {
	w.t.Helper()
	d := net.Dialer{LocalAddr: from, Timeout: testkit.Patience}
	c, err := d.DialContext(w.t.Context(), strings.ToLower(transport)+"4", w.h.SIP)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, c.Close()) }()
	p := &newcomer{
		conn: c, in: textproto.NewReader(bufio.NewReaderSize(c, maxMessage)), transport: transport, hotline: w.h.SIP,
		id: strconv.Itoa(w.newcomers),
	}
	for _, expires := range []int{3600, 0} { // comes, and goes again
		status, answer, err := p.register(expires, "")
		require.NoError(w.t, err)
		require.Equal(w.t, "401", status)
		challenge, err := digest.ParseChallenge(answer.Get("WWW-Authenticate"))
		require.NoError(w.t, err)
		credentials, err := digest.Digest(challenge, digest.Options{
			Method: "REGISTER", URI: "sip:" + w.h.SIP, Username: newcomerID, Password: passwordOf(newcomerID), Count: 1,
		})
		require.NoError(w.t, err)
		status, _, err = p.register(expires, credentials.String())
		require.NoError(w.t, err)
		require.Equal(w.t, "200", status)
		if expires > 0 {
			w.h.AwaitAgent(newcomerID, "ready")
		}
	}
}

// newcomer is a phone that does nothing but register.
type newcomer struct {
	conn                   net.Conn
	in                     *textproto.Reader
	transport, hotline, id string
	cseq                   int
}

// register sends a REGISTER and returns its answer; by UDP it is sent again each T1 until there is one (RFC 3261 section
// 17.1.2.2 has it rarer, and gives up no later). Errors: os.ErrDeadlineExceeded, without an answer in 64·T1; the connection's.
func (p *newcomer) register(expires int, credentials string) (status string, answer textproto.MIMEHeader, err error) {
	p.cseq++
	self, n := p.conn.LocalAddr().String(), strconv.Itoa(p.cseq)
	lines := []string{
		"REGISTER sip:" + p.hotline + " SIP/2.0", "Via: SIP/2.0/" + p.transport + " " + self + ";branch=z9hG4bKnew" + p.id + "n" + n + ";rport",
		"Max-Forwards: 70", "From: <sip:" + newcomerID + "@" + p.hotline + ">;tag=new" + p.id, "To: <sip:" + newcomerID + "@" + p.hotline + ">",
		"Call-ID: new" + p.id, "CSeq: " + n + " REGISTER",
		"Contact: <sip:" + newcomerID + "@" + self + ";transport=" + strings.ToLower(p.transport) + ">", fmt.Sprintf("Expires: %d", expires),
	}
	if credentials != "" {
		lines = append(lines, "Authorization: "+credentials)
	}
	said := strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n")
	wait, tries := 64*resentAfter, 1
	if p.transport == "UDP" {
		wait, tries = resentAfter, 64
	}
	for err = os.ErrDeadlineExceeded; tries > 0 && errors.Is(err, os.ErrDeadlineExceeded); tries-- {
		if _, err = p.conn.Write([]byte(said)); err != nil {
			return "", nil, err
		}
		if err = p.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return "", nil, err
		}
		status, answer, err = p.answer(n + " REGISTER")
	}
	return status, answer, err
}

// answer reads until the final answer to a request.
func (p *newcomer) answer(cseq string) (status string, answer textproto.MIMEHeader, err error) {
	for {
		line, err := p.in.ReadLine()
		if err != nil {
			return "", nil, err
		}
		header, err := p.in.ReadMIMEHeader()
		if err != nil {
			return "", nil, err
		}
		_, rest, _ := strings.Cut(line, " ")
		if status, _, _ = strings.Cut(rest, " "); header.Get("CSeq") == cseq && status >= "200" {
			return status, header, nil
		}
	}
}
