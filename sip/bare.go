package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
)

// ServeBare answers every call on a UDP socket with 180 and 200 by means of sipgo alone, as its own examples do:
// no check, no dialog, no audio, no record. It is what the user agent's cost is measured against, and serves
// nobody. answer is the description in the 200. It returns nil when ctx is done; the socket is then closed.
func ServeBare(ctx context.Context, conn net.PacketConn, answer []byte) (err error) {
	silent := slog.New(slog.DiscardHandler)
	sipmsg.SetDefaultLogger(silent)
	ua, err := sipgo.NewUA(sipgo.WithUserAgent(serverName))
	if err != nil {
		return fmt.Errorf("bare server: %w", err)
	}
	srv, err := sipgo.NewServer(ua, sipgo.WithServerLogger(silent))
	if err != nil {
		return errors.Join(fmt.Errorf("bare server: %w", err), ua.Close())
	}
	self, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return errors.Join(fmt.Errorf("bare server: %w", err), ua.Close())
	}
	contact := &sipmsg.ContactHeader{Address: sipmsg.Uri{
		Scheme: schemeSIP, User: serverName, Host: self.Addr().String(), Port: int(self.Port()),
	}}
	srv.OnInvite(func(req *sipmsg.Request, tx sipmsg.ServerTransaction) {
		_ = tx.Respond(sipmsg.NewResponseFromRequest(req, sipmsg.StatusRinging, "Ringing", nil))
		res := sipmsg.NewResponseFromRequest(req, sipmsg.StatusOK, "OK", answer)
		res.AppendHeader(contact)
		res.AppendHeader(sipmsg.NewHeader("Content-Type", sdpType))
		_ = tx.Respond(res) // whoever measures counts what did not come
	})
	srv.OnAck(func(*sipmsg.Request, sipmsg.ServerTransaction) {})
	srv.OnBye(func(req *sipmsg.Request, tx sipmsg.ServerTransaction) {
		_ = tx.Respond(sipmsg.NewResponseFromRequest(req, sipmsg.StatusOK, "OK", nil))
	})
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // which ends ServeUDP
	err = srv.ServeUDP(conn)
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, ua.Close())
}
