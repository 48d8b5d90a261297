package memstore

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"hotline/call"
)

// Annotate implements call.Records.
func (s *Store) Annotate(callID, agent string, code call.WrapUpCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.rows[callID]
	if !ok {
		return
	}
	r, err := w.decode()
	if err != nil || !r.Annotate(agent, code) {
		return
	}
	if w.text, err = json.Marshal(r); err == nil {
		s.rows[callID] = w
	}
}

// SaveShift keeps what an agent chose; one who chose nothing is forgotten.
func (s *Store) SaveShift(shift call.Shift) {
	shift.Out = slices.Clone(shift.Out)
	s.mu.Lock()
	defer s.mu.Unlock()
	if shift.Plain() {
		delete(s.shifts, shift.Agent)
		return
	}
	s.shifts[shift.Agent] = shift
}

// Shifts returns what agents chose, those who chose nothing left out, in the order of their ids.
func (s *Store) Shifts(context.Context) ([]call.Shift, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]call.Shift, 0, len(s.shifts))
	for _, shift := range s.shifts {
		shift.Out = slices.Clone(shift.Out)
		all = append(all, shift)
	}
	slices.SortFunc(all, func(a, b call.Shift) int { return cmp.Compare(a.Agent, b.Agent) })
	return all, nil
}
