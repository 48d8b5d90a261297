package calltest

import (
	"slices"

	"hotline/media"
)

// Room is a room of a Bridger's.
type Room struct {
	bridger *Bridger
	streams []media.Stream
	hears   [][]int
	tap     media.Tap
}

// Mix implements call.Bridger. A closed stream cannot be joined, as in the real engine.
func (b *Bridger) Mix(tap media.Tap, parties ...media.Party) (media.Room, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &Room{bridger: b, tap: tap}
	for _, p := range parties {
		if p.Stream.(*Stream).over() {
			return nil, media.ErrClosed
		}
		r.streams, r.hears = append(r.streams, p.Stream), append(r.hears, p.Hears)
	}
	b.rooms = append(b.rooms, r)
	return r, nil
}

// Set implements media.Room.
func (r *Room) Set(hears ...[]int) error {
	r.bridger.mu.Lock()
	defer r.bridger.mu.Unlock()
	if len(hears) != len(r.streams) {
		return media.ErrParties
	}
	r.hears = hears
	return nil
}

// Close implements media.Room.
func (r *Room) Close() {
	r.bridger.mu.Lock()
	defer r.bridger.mu.Unlock()
	r.bridger.rooms = slices.DeleteFunc(r.bridger.rooms, func(other *Room) bool { return other == r })
}

// Rooms are whom each party of each room hears now, and whether a tap hears the room.
func (b *Bridger) Rooms() (rooms [][][]int, tapped []bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.rooms {
		rooms, tapped = append(rooms, r.hears), append(tapped, r.tap != nil)
	}
	return rooms, tapped
}
