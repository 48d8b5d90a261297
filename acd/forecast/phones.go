package forecast

import (
	"strconv"

	"hotline/acd"
	"hotline/call"
)

var _ acd.Bells = (*floor)(nil)

// Ring implements [acd.Bells]: the phone does what the options say, unless it is taken back before.
func (f *floor) Ring(r call.RingRequest, tell func(call.Leg, *call.RingError)) func(call.Cause) {
	does := Ring{}
	if f.o.Ring != nil {
		does = f.o.Ring(r.Agent)
	}
	over := false
	end := func() {
		switch {
		case over:
		case does.Why == call.CauseNone:
			f.legs++
			leg := f.sim.Leg(strconv.Itoa(f.legs))
			f.picked = append(f.picked, pick{call: r.CallID, leg: leg})
			tell(leg, nil)
		default:
			tell(nil, &call.RingError{Why: does.Why, At: f.sim.Now()})
		}
		over = true
	}
	switch {
	case does.Why == call.CauseUnreachable:
		f.plans.add(f.sim.Now().Add(does.After), end)
	case does.After == 0 && does.Why == call.CauseNone:
		end()
	default:
		r.Progress(ringing, f.sim.Now())
		if does.Why != call.CauseNoAnswer {
			f.plans.add(f.sim.Now().Add(does.After), end)
		}
	}
	return func(why call.Cause) {
		if !over {
			over = true
			tell(nil, &call.RingError{Why: why, At: f.sim.Now()})
		}
	}
}

// ringing is the SIP status of a phone that rings.
const ringing = 180
