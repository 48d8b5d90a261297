package config_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/config"
)

func TestWebhooks(t *testing.T) {
	c := parse(t, `webhooks: [{url: "http://[::1]:9/", secret: one}, {name: wall, url: "https://example.org/a", secret: "${S}", numbers: full, events: [alarm]}]`,
		map[string]string{"S": "hush"})
	require.Len(t, c.Webhooks, 2)
	require.Equal(t, "hook1", c.Webhooks[0].Name)
	require.False(t, c.Webhooks[0].FullNumbers)
	require.Empty(t, c.Webhooks[0].Events, "all")
	require.Equal(t, "wall", c.Webhooks[1].Name)
	require.Equal(t, "hush", c.Webhooks[1].Secret.Reveal())
	require.True(t, c.Webhooks[1].FullNumbers)
	require.Equal(t, []config.EventKind{"alarm"}, c.Webhooks[1].Events)
	require.NotContains(t, fmt.Sprintf("%+v", c.Webhooks), "example.org", "a URL may hold a token")

	targets := parse(t, "targets: {talk: 2m}", nil).Targets
	require.Equal(t, 100*time.Second, targets.TalkWarn, "five sixths")
	require.Equal(t, 30*time.Second, targets.Hold)
	require.Zero(t, parse(t, "targets: {talk_warn: 0s}", nil).Targets.TalkWarn)
	require.True(t, parse(t, "", nil).Queues["consult"].Whisper)
	require.False(t, parse(t, "queues: {consult: {whisper: false}}", nil).Queues["consult"].Whisper)
}
