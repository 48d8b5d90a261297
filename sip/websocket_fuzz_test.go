package sip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// pieces is a connection that gives what there is in pieces of a size, with a deadline that passes before each.
type pieces struct {
	net.Conn
	data []byte
	size int
	late bool
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.late = !p.late; p.late {
		return 0, context.DeadlineExceeded
	}
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.data[:min(p.size, len(p.data))])
	p.data = p.data[n:]
	return n, nil
}

func (p *pieces) Write(b []byte) (int, error) { return len(b), nil }
func (p *pieces) RemoteAddr() net.Addr        { return &net.TCPAddr{} }

// FuzzWebSocketFrames: whatever comes, in whatever pieces, ends without a fault, and is what comes at once; no message is
// larger than any that we take, and what waits is bounded.
func FuzzWebSocketFrames(f *testing.F) {
	var seed bytes.Buffer
	for _, one := range []ws.Frame{
		ws.NewPingFrame([]byte("x")), ws.NewFrame(ws.OpText, false, []byte("OPTIONS sip:x SIP/2.0\r\n")),
		ws.NewFrame(ws.OpContinuation, true, []byte("\r\n")), ws.NewTextFrame([]byte("\r\n\r\n")), ws.NewCloseFrame(nil),
	} {
		if err := ws.WriteFrame(&seed, ws.MaskFrame(one)); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(seed.Bytes(), uint8(1))
	f.Add([]byte{0x81, 0xff, 0, 0, 0, 0, 1, 0, 0, 0}, uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		read := func(size int) (messages []string) {
			c := &wsConn{Conn: &pieces{data: data, size: size}, open: true}
			b := make([]byte, 1<<16)
			for {
				n, err := c.Read(b)
				require.LessOrEqual(t, len(c.in)+len(c.message), 1<<16+2*maxDatagram)
				if errors.Is(err, context.DeadlineExceeded) {
					continue
				}
				if err != nil {
					return messages
				}
				require.LessOrEqual(t, n, maxDatagram)
				messages = append(messages, string(b[:n]))
			}
		}
		require.Equal(t, read(len(data)+1), read(int(size)+1))
	})
}
