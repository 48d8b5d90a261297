package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

func TestPlacesLeft(t *testing.T) {
	now := time.Now()
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	visit := func(queue, how string, from, to int) call.Visit {
		return call.Visit{Queue: queue, Entered: at(from), Left: new(at(to)), How: how}
	}
	record := func(from string, visits ...call.Visit) call.Record {
		return call.Record{From: from, Trunk: "city", Visits: visits}
	}
	again := visit("repair", "abandoned", -50, -40)
	again.Rejoined, again.Since = true, new(at(-100))
	private := record("5", visit("repair", "abandoned", -9, -8))
	private.Private = true
	agents := record("8001", visit("repair", "abandoned", -9, -8))
	agents.Trunk = "agent:8001"
	require.Equal(t, []call.LeftPlace{
		{Queue: "repair", Number: "1", Entered: at(-9), Left: at(-1), CutOff: true},
		{Queue: "repair", Number: "2", Entered: at(-100), Left: at(-40)},
		{Queue: "gas", Number: "3", Entered: at(-60), Left: at(-55), CutOff: true},
	}, placesLeft([]call.Record{
		record("1", visit("repair", "crash", -9, -1)),
		private, agents, record("", visit("repair", "abandoned", -9, -8)), record("6"),
		record("4", visit("repair", "answered", -20, -10)),
		record("4", visit("repair", "abandoned", -40, -30)), // was answered since
		record("2", again),
		record("2", visit("repair", "abandoned", -100, -60)), // was taken up by the one before
		record("3", visit("repair", "overflow", -70, -60), visit("gas", "shutdown", -60, -55)),
		record("3", visit("repair", "abandoned", -90, -80)), // has been there since
		record("7", visit("repair", "abandoned", -99, -95), visit("gas", "moved", -95, -94)),
	}))
}
