package memstore

import (
	"context"
	"maps"
	"slices"

	"hotline/call"
)

var _ call.Outages = (*Store)(nil)

// Outages implements call.Outages.
func (s *Store) Outages(context.Context) ([]call.Outage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Collect(maps.Values(s.outages))
	for i := range all {
		all[i].Areas = slices.Clone(all[i].Areas)
	}
	call.SortOutages(all)
	return all, nil
}

// PutOutage implements call.Outages.
func (s *Store) PutOutage(_ context.Context, o call.Outage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.outages[o.ID]; !ok && len(s.outages) >= call.MaxOutages {
		return call.ErrTooMany
	}
	o.Areas = slices.Clone(o.Areas)
	s.outages[o.ID] = o
	return nil
}

// DeleteOutage implements call.Outages.
func (s *Store) DeleteOutage(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.outages[id]; !ok {
		return call.ErrNoOutage
	}
	delete(s.outages, id)
	return nil
}
