package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"hotline/acd/forecast"
)

// mostCalls bounds what one line of a file of arrivals may say.
const mostCalls = 1_000_000

// readArrivals reads how many calls came in each half hour of the day, counted from midnight.
func readArrivals(path string) (halves map[int]int, err error) {
	f, err := os.Open(path) //nolint:gosec // named by the person
	if err != nil {
		return nil, fmt.Errorf("read arrivals: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	halves, err = parseArrivals(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return halves, nil
}

// parseArrivals reads CSV: a time of day, and a number of calls. The first line may be a heading. The error names the
// line.
func parseArrivals(r io.Reader) (map[int]int, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord, in.TrimLeadingSpace, in.Comment = -1, true, '#'
	halves := map[int]int{}
	for first := true; ; first = false {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return halves, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read arrivals: %w", err)
		}
		line, _ := in.FieldPos(0)
		at, err := timeOfDay(strings.TrimSpace(fields[0]))
		if err != nil && first {
			continue // a heading
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		calls := 1
		if len(fields) > 1 {
			if calls, err = strconv.Atoi(strings.TrimSpace(fields[1])); err != nil || calls < 0 || calls > mostCalls {
				return nil, fmt.Errorf("line %d: %q is no number of calls from 0 to %d", line, fields[1], mostCalls)
			}
		}
		halves[int(at/forecast.HalfHour)] += calls
	}
}

// timeOfDay reads how long after midnight a time is.
func timeOfDay(text string) (time.Duration, error) {
	for _, layout := range []string{"15:04", "15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			hour, minute, second := t.Clock()
			return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second, nil
		}
	}
	return 0, fmt.Errorf("%q is no time as 08:30, 08:30:59 or RFC 3339", text)
}
