package sip

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestResponsesAstray: a response that no request of ours can have had is counted once and dropped; the log says nothing,
// since there is nothing that an operator could do.
func TestResponsesAstray(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]string{
		"of RFC 2543":         "Via: SIP/2.0/UDP 127.0.0.1:5099;branch=1\r\nCSeq: 1 OPTIONS\r\n",
		"without a branch":    "Via: SIP/2.0/UDP 127.0.0.1:5099\r\nCSeq: 1 INVITE\r\n",
		"of nothing we asked": "Via: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK-unknown\r\nCSeq: 1 INVITE\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zap.InfoLevel)
			r := newRig(t, func(o *Options) { o.Logger = zap.New(core) })
			p := newPeer(t, "udp", r.udp())
			p.write(fmt.Sprintf("SIP/2.0 180 Ringing\r\n%sFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: astray\r\nContent-Length: 0\r\n\r\n", lines))
			require.Eventually(t, func() bool { return r.dropped(dropStray) > 0 }, testWait, time.Millisecond)
			p.dialog(testNumber).request("OPTIONS", "")
			p.status("OPTIONS", 200)
			require.Equal(t, 1, r.dropped(dropStray))
			require.Zero(t, logs.FilterMessageSnippet("failed to handle response").Len())
		})
	}
}
