package test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestSurveyByAnotherMake: linphonec hands the caller over to the survey by a transfer to its code (REFER to *9), and is told
// how that went.
func TestSurveyByAnotherMake(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: surveyed, Race: true, Ping: "10m"})
	phone := linphone(t, h, "8003", thirdTone)
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	talkWith(t, h, "8003", 0)
	phone.Transfer(1, "*9", h.SIP)
	h.AwaitAgent("8003", "ready")
	for i, key := range []byte{'5', '0'} {
		c.SendDigit(key)
		h.AwaitCall("scored", func(r testkit.Record) bool { return len(r.Survey) == i+1 })
	}
	c.Await(testkit.CallClosed)
	r := over(t, h)
	require.Equal(t, []string{"answered", "menu", "system"}, []string{r.Result, r.Reason, r.Release})
	require.Equal(t, "system", r.Talks[0].Release, "no hang-up of the agent's")
	require.Equal(t, []int{5, 0}, []int{r.Survey[0].Score, r.Survey[1].Score})
	require.Equal(t, "8003", r.Survey[0].Agent)
	require.Equal(t, []string{"100", "200"}, ends(notified(t, wire, h)), "what the phone was told")
}
