package sip

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestDialByCode: a carrier's access code and a number abroad is called by no rule that does not say both, whoever asks, as short as
// the number may be, and whatever length the rule allows; a mobile number that begins so is called. A rule for 1 that says no length
// allows no code before a number at home either.
func TestDialByCode(t *testing.T) {
	t.Parallel()
	r, p, _ := dialRig(t, TrunkOut{From: "96777"}, rule("1"), rule("0"), rule("+86"), rule("0086"))
	phone := netip.MustParseAddr("127.0.0.1")
	for _, number := range []string{
		"179090068340001", "017909006834000", "193006834000", "0193006834000", "0193004420712", "+86193006834000", "+860193006834000",
		"0086193006834000", "00860193004420712", "179091062345678",
	} {
		refusedFor(t, next(t, r.outside(t.Context(), number)), call.CauseForbidden)
		ever, now := r.MayDial(number)
		require.False(t, ever || now, number)
		_, why := r.reach("8001", phone, number)
		require.Equal(t, call.CauseNotFound, why, number)
	}
	p.silence(50*time.Millisecond, "INVITE")
	for _, number := range []string{
		"19300123456", "019300123456", "+8619300123456", "008619300123456", "10000", "02000000000", "01062000000", "13800000000",
	} {
		ever, _ := r.MayDial(number)
		require.True(t, ever, number)
	}
	wide, said := rule("1"), rule("1790900683")
	wide.Digits, said.Digits = DigitRange{1, 32}, DigitRange{14, 15}
	plan, err := newDialPlan([]DialRule{wide, said}, r.plan().trunks)
	require.NoError(t, err)
	for number, prefix := range map[string]string{
		"17909006834000": said.Prefix, "1790913912345678": wide.Prefix, "1790900442071234567": "", "193006834000": "",
	} {
		found := plan.find(number)
		require.Equal(t, prefix != "", found != nil, number)
		if found != nil {
			require.Equal(t, prefix, found.Prefix, number)
		}
	}
}
