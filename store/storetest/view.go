package storetest

import (
	"encoding/json"

	"hotline/call"
)

// newView is a record as JSON with every instant in UTC and without a monotonic clock, so that two
// which mean the same look the same.
func newView(r call.Record) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	var again call.Record // instants lose their monotonic clock and keep their offset
	if err := json.Unmarshal(text, &again); err != nil {
		return "", err
	}
	text, err = json.Marshal(again)
	return string(text), err
}
