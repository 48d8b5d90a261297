package calendar_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones of the cases

	"github.com/stretchr/testify/require"

	"hotline/calendar"
)

const hour = time.Hour

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

// office is open on weekdays in two spans, and from Saturday at ten in the evening until two.
func office(t *testing.T, zoneName string) calendar.Options {
	t.Helper()
	o := calendar.Options{Location: zone(t, zoneName)}
	for day := time.Monday; day <= time.Friday; day++ {
		o.Week[day] = []calendar.Span{{From: 8 * hour, To: 12 * hour}, {From: 14 * hour, To: 17*hour + 30*time.Minute}}
	}
	o.Week[time.Saturday] = []calendar.Span{{From: 22 * hour, To: 2 * hour}}
	return o
}

func check(t *testing.T, o calendar.Options, cases map[string]bool) {
	t.Helper()
	c, err := calendar.New(o)
	require.NoError(t, err)
	for text, want := range cases {
		at, err := time.ParseInLocation("2006-01-02 15:04:05", text, o.Location)
		require.NoError(t, err)
		require.Equal(t, want, c.Open(at), "%s (%s)", text, at.Weekday())
		require.Equal(t, want, c.Open(at.UTC()), "the same instant in another zone")
	}
}

func TestWeek(t *testing.T) {
	check(t, office(t, "Asia/Shanghai"), map[string]bool{
		"2024-03-04 07:59:59": false, // a Monday
		"2024-03-04 08:00:00": true,
		"2024-03-04 11:59:59": true,
		"2024-03-04 12:00:00": false,
		"2024-03-04 17:29:59": true,
		"2024-03-04 17:30:00": false,
		"2024-03-09 21:59:59": false, // Saturday
		"2024-03-09 22:00:00": true,
		"2024-03-10 00:00:00": true, // Sunday, still Saturday's
		"2024-03-10 01:59:59": true,
		"2024-03-10 02:00:00": false,
		"2024-03-10 22:30:00": false,
		"2024-03-09 01:00:00": false, // Friday has no night
	})
}

func TestWholeDay(t *testing.T) {
	o := calendar.Options{Location: zone(t, "Asia/Shanghai")}
	o.Week[time.Sunday] = []calendar.Span{{From: 0, To: 24 * hour}}
	check(t, o, map[string]bool{
		"2024-03-09 23:59:59": false,
		"2024-03-10 00:00:00": true,
		"2024-03-10 23:59:59": true,
		"2024-03-11 00:00:00": false,
	})
}

// The notices of the State Council, day by day at the edges of each holiday.
func TestChina(t *testing.T) {
	o := office(t, "Asia/Shanghai")
	o.Holidays = calendar.China
	o.Exceptions = map[calendar.Date][]calendar.Span{
		{Year: 2026, Month: time.October, Day: 1}:   {{From: 9 * hour, To: 10 * hour}}, // before a holiday
		{Year: 2026, Month: time.December, Day: 31}: nil,
	}
	check(t, o, map[string]bool{
		"2025-01-01 09:00:00": false,
		"2025-01-02 09:00:00": true,
		"2025-01-26 09:00:00": true, // a Sunday, worked
		"2025-01-27 09:00:00": true,
		"2025-01-28 09:00:00": false,
		"2025-02-04 09:00:00": false,
		"2025-02-05 09:00:00": true,
		"2025-02-08 09:00:00": true,
		"2025-02-08 22:30:00": false, // a Saturday worked as a Monday has no night
		"2025-04-04 09:00:00": false,
		"2025-04-07 09:00:00": true,
		"2025-04-27 09:00:00": true,
		"2025-05-05 09:00:00": false,
		"2025-05-06 09:00:00": true,
		"2025-06-02 09:00:00": false,
		"2025-06-03 09:00:00": true,
		"2025-09-28 09:00:00": true,
		"2025-10-08 09:00:00": false,
		"2025-10-09 09:00:00": true,
		"2025-10-11 09:00:00": true,
		"2026-01-02 09:00:00": false,
		"2026-01-04 09:00:00": true,
		"2026-02-14 09:00:00": true,
		"2026-02-16 09:00:00": false,
		"2026-02-23 09:00:00": false,
		"2026-02-24 09:00:00": true,
		"2026-02-28 09:00:00": true,
		"2026-04-06 09:00:00": false,
		"2026-05-04 09:00:00": false,
		"2026-05-05 09:00:00": false,
		"2026-05-06 09:00:00": true,
		"2026-05-09 09:00:00": true,
		"2026-06-19 09:00:00": false,
		"2026-06-22 09:00:00": true,
		"2026-09-20 09:00:00": true,
		"2026-09-25 09:00:00": false,
		"2026-10-01 08:30:00": false,
		"2026-10-01 09:30:00": true,
		"2026-10-07 09:00:00": false,
		"2026-10-08 09:00:00": true,
		"2026-10-10 09:00:00": true,
		"2026-12-31 09:00:00": false,
		"2027-01-01 09:00:00": true, // a Friday of a year that is not known yet
	})
	c, err := calendar.New(o)
	require.NoError(t, err)
	require.True(t, c.Known(time.Date(2026, 12, 31, 15, 0, 0, 0, time.UTC)))
	require.False(t, c.Known(time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)), "2027 in Shanghai")
	o.Holidays = ""
	c, err = calendar.New(o)
	require.NoError(t, err)
	require.True(t, c.Known(time.Now()))
}

// Where the clock is put forward and back, it is the clock on the wall that counts.
func TestDaylightSaving(t *testing.T) {
	o := calendar.Options{Location: zone(t, "Europe/Berlin")}
	o.Week[time.Sunday] = []calendar.Span{{From: 1 * hour, To: 3 * hour}}
	c, err := calendar.New(o)
	require.NoError(t, err)
	open := func(from time.Time, forHours int) (n int) {
		for i := range forHours * 60 {
			if c.Open(from.Add(time.Duration(i) * time.Minute)) {
				n++
			}
		}
		return n
	}
	require.Equal(t, 60, open(time.Date(2024, 3, 30, 23, 0, 0, 0, time.UTC), 24), "two to three is skipped")
	require.Equal(t, 180, open(time.Date(2024, 10, 26, 22, 0, 0, 0, time.UTC), 25), "two to three comes twice")
	// The day before midnight is the day before, whatever it is long.
	o.Week = [7][]calendar.Span{}
	o.Week[time.Saturday] = []calendar.Span{{From: 23 * hour, To: 4 * hour}}
	c, err = calendar.New(o)
	require.NoError(t, err)
	require.Equal(t, 240, open(time.Date(2024, 3, 30, 12, 0, 0, 0, time.UTC), 24))
	require.Equal(t, 360, open(time.Date(2024, 10, 26, 12, 0, 0, 0, time.UTC), 24))
}

func TestFaults(t *testing.T) {
	_, err := calendar.New(calendar.Options{Holidays: "atlantis"})
	require.ErrorIs(t, err, calendar.ErrHolidays)
	for _, s := range []calendar.Span{{From: -1, To: 1}, {From: 24 * hour, To: 1}, {From: 0, To: 25 * hour}, {From: 0, To: -1}} {
		o := calendar.Options{}
		o.Week[3] = []calendar.Span{s}
		_, err := calendar.New(o)
		require.ErrorIs(t, err, calendar.ErrSpan)
		_, err = calendar.New(calendar.Options{Exceptions: map[calendar.Date][]calendar.Span{{}: {s}}})
		require.ErrorIs(t, err, calendar.ErrSpan)
	}
	c, err := calendar.New(calendar.Options{})
	require.NoError(t, err)
	require.False(t, c.Open(time.Now()), "no hours are none")
}
