package sip

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

// Each number in each form, of a hotline in Shenzhen (0755).
func TestNumbering(t *testing.T) {
	t.Parallel()
	n := &Numbering{Area: "755"}
	for _, c := range []struct{ number, e164, national, local string }{
		// Mobiles.
		{"13912345678", "+8613912345678", "13912345678", "13912345678"},
		{"013912345678", "+8613912345678", "13912345678", "13912345678"},
		{"+8613912345678", "+8613912345678", "13912345678", "13912345678"},
		{"008613912345678", "+8613912345678", "13912345678", "13912345678"},
		{"+86-139-1234-5678", "+8613912345678", "13912345678", "13912345678"},
		// Fixed lines, here and elsewhere.
		{"88888888", "+8675588888888", "075588888888", "88888888"},
		{"0755-88888888", "+8675588888888", "075588888888", "88888888"},
		{"+8675588888888", "+8675588888888", "075588888888", "88888888"},
		{"+86075588888888", "+8675588888888", "075588888888", "88888888"},
		{"01062345678", "+861062345678", "01062345678", "01062345678"},
		{"+862161234567", "+862161234567", "02161234567", "02161234567"},
		{"+86216123456", "+86216123456", "+86216123456", "+86216123456"}, // a digit short
		{"06622345678", "+866622345678", "06622345678", "06622345678"},
		// Services: never an area or a country, however they come.
		{"110", "110", "110", "110"},
		{"119", "119", "119", "119"},
		{"+86119", "119", "119", "119"},
		{"10086", "10086", "10086", "10086"},
		{"12345", "12345", "12345", "12345"},
		{"95588", "95588", "95588", "95588"},
		{"95105888", "95105888", "95105888", "95105888"},
		{"96777", "96777", "96777", "96777"},
		{"+8696777", "96777", "96777", "96777"},
		{"008696777", "96777", "96777", "96777"},
		{"4008001234", "4008001234", "4008001234", "4008001234"},
		{"+864008001234", "4008001234", "4008001234", "4008001234"},
		{"116114", "116114", "116114", "116114"},
		{"+86118114", "118114", "118114", "118114"},
		{"10108888", "10108888", "10108888", "10108888"},
		{"+8610108888", "10108888", "10108888", "10108888"},
		{"0110", "0110", "0110", "0110"}, // no way to a service where only 0 may be dialled
		{"096777", "096777", "096777", "096777"},
		{"+860110", "+860110", "+860110", "+860110"},
		{"04008001234", "04008001234", "04008001234", "04008001234"},
		{"8008101234", "8008101234", "8008101234", "8008101234"},
		// Abroad.
		{"+442071234567", "+442071234567", "00442071234567", "00442071234567"},
		{"00442071234567", "+442071234567", "00442071234567", "00442071234567"},
		// What it is not known to be stays as it is.
		{"075596777", "075596777", "075596777", "075596777"},
		{"75588888888", "75588888888", "75588888888", "75588888888"},
		{"8001", "8001", "8001", "8001"},
		{"12345678", "12345678", "12345678", "12345678"},
		{"+861012345", "+861012345", "+861012345", "+861012345"},
		{"+1", "+1", "+1", "+1"},
		{"+12345678901234567", "+12345678901234567", "+12345678901234567", "+12345678901234567"},
		{"anonymous", "anonymous", "anonymous", "anonymous"},
		{"*22", "*22", "*22", "*22"},
		{"00", "00", "00", "00"},
		{"0", "0", "0", "0"},
		{"", "", "", ""},
		{"+", "+", "+", "+"},
	} {
		require.Equal(t, []string{c.e164, c.national, c.local},
			[]string{n.write(c.number, FormE164), n.write(c.number, FormNational), n.write(c.number, FormLocal)}, c.number)
		require.Equal(t, c.number, n.write(c.number, FormAsIs))
	}
	require.Equal(t, "88888888", (&Numbering{}).write("88888888", FormNational), "whose area?")
	require.Equal(t, "96777", (*Numbering)(nil).write("96777", FormE164))
}

// A number leads to one place, however it is written, and two that are one must not lead to two.
func TestNumbersOfATrunk(t *testing.T) {
	t.Parallel()
	menu := func(name string) call.Next { return call.Next{Kind: call.Route, Menu: name} }
	o := TrunkOptions{Name: "city", Numbering: &Numbering{Area: "755"}, Numbers: map[string]call.Next{
		"88888888": menu("main"), "075588888888": menu("main"), "96777": menu("gas"), "8001": menu("short"),
	}}
	require.NoError(t, o.CheckNumbers())
	one := newTrunks([]TrunkOptions{o}).list[0]
	for number, want := range map[string]string{
		"88888888": "main", "+8675588888888": "main", "0755-88888888": "main", "96777": "gas", "+8696777": "gas", "8001": "short",
		"88888889": "", "+86755": "", "08001": "", "": "",
	} {
		next, ok := one.route(number)
		require.Equal(t, want != "", ok, number)
		require.Equal(t, want, next.Menu, number)
	}
	o.Numbers["+8675588888888"] = menu("another")
	require.EqualError(t, o.CheckNumbers(), "numbers +8675588888888 and 075588888888 of trunk city: "+errTwin.Error())
	_, err := New(Options{Engine: &fakeEngine{}, Trunks: []TrunkOptions{o}})
	require.ErrorIs(t, err, errTwin)
	o.Numbering = nil
	require.NoError(t, o.CheckNumbers(), "without rules nothing is compared")
	_, ok := newTrunks([]TrunkOptions{o}).list[0].route("0755-88888888")
	require.False(t, ok)
}

// numbers are such as trunks send.
func numbers() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		prefix := rapid.SampledFrom([]string{"", "0", "00", "+", "+86", "0086", "+860", "0755", "+86755", "010", "139", "400", "95", "96", "1", "86", "+1"}).Draw(t, "prefix")
		return prefix + rapid.StringMatching(`[0-9]{0,12}`).Draw(t, "digits")
	})
}

// Writing a number is idempotent, whatever it is; and no form forgets what another would say: each can be had from each.
func TestNumberingProperties(t *testing.T) {
	t.Parallel()
	forms := []Form{FormE164, FormNational, FormLocal}
	rapid.Check(t, func(t *rapid.T) {
		n := &Numbering{Area: rapid.SampledFrom([]string{"", "10", "21", "755", "662"}).Draw(t, "area")}
		number := rapid.OneOf(numbers(), rapid.String()).Draw(t, "number")
		for _, form := range forms {
			once := n.write(number, form)
			require.Equal(t, once, n.write(once, form), "twice as once")
			for _, other := range forms {
				require.Equal(t, n.write(number, other), n.write(once, other), "%s by way of %s", other, form)
			}
			if dialable(number) {
				require.True(t, dialable(once), "what may be dialled stays so: %s", once)
			}
		}
	})
}

// A number that a rule allows is not turned into one that reaches a service or another country.
func TestNumberingReachesTheSame(t *testing.T) {
	t.Parallel()
	n := &Numbering{Area: "755"}
	rapid.Check(t, func(t *rapid.T) {
		number := numbers().Draw(t, "number")
		for _, form := range []Form{FormE164, FormNational, FormLocal} {
			got := n.write(number, form)
			last := func(s string) string {
				return strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(s, "+0"), countryCode), "0")
			}
			require.True(t, strings.HasSuffix(last(got), last(number)) || strings.HasSuffix(last(number), last(got)) || got == number,
				"%s became %s", number, got)
		}
	})
}

// What only an entry for 0 allows is not turned into a service's number, or into one abroad.
func TestNumberingOfLongDistance(t *testing.T) {
	t.Parallel()
	n := &Numbering{Area: "755"}
	rapid.Check(t, func(t *rapid.T) {
		number := "0" + rapid.StringMatching(`[1-9][0-9]{0,13}`).Draw(t, "number")
		require.False(t, serviceNumber.MatchString(n.write(number, FormNational)), number)
		require.False(t, strings.HasPrefix(n.write(number, FormNational), internationalPrefix), number)
	})
}

// dialable is what dialPlan.find takes for a number.
func dialable(s string) bool { return number(s) }
