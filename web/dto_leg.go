package web

import (
	"math"
	"strconv"

	"hotline/call"
	"hotline/media"
)

// opinion is a mean opinion score as the API writes it: rounded to hundredths, 0 when it is not known.
type opinion float64

// MarshalJSON implements json.Marshaler.
func (s opinion) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, math.Round(float64(s)*100)/100, 'f', -1, 64), nil
}

// millis is a duration as the API writes what is short: milliseconds, rounded to hundredths.
type millis float64

// MarshalJSON implements json.Marshaler.
func (m millis) MarshalJSON() ([]byte, error) { return opinion(m).MarshalJSON() }

// legDTO is what one leg's audio was like.
type legDTO struct {
	Role       call.Role   `json:"role"`
	Agent      string      `json:"agent"`
	Number     string      `json:"number"`
	Codec      media.Codec `json:"codec"`
	Secure     bool        `json:"secure"`
	PacketsIn  uint64      `json:"packets_in"`
	PacketsOut uint64      `json:"packets_out"`
	Lost       uint64      `json:"lost"`
	Late       uint64      `json:"late"`
	Duplicate  uint64      `json:"duplicate"`
	Strangers  uint64      `json:"strangers"`
	FarLost    uint64      `json:"far_lost"`
	Jitter     millis      `json:"jitter_ms"`
	FarJitter  millis      `json:"far_jitter_ms"`
	RoundTrip  millis      `json:"round_trip_ms"`
	MOS        opinion     `json:"mos"`
	MOSIn      opinion     `json:"mos_in"`
	MOSOut     opinion     `json:"mos_out"`
	Silent     int         `json:"silent"`
	NoMedia    bool        `json:"no_media"`
	// OneWay is null for a leg whose audio always went both ways.
	OneWay  *oneWayDTO `json:"one_way"`
	LeftOut int        `json:"left_out,omitempty"`
}

type oneWayDTO struct {
	At     stamp  `json:"at"`
	Count  int    `json:"count"`
	Healed *stamp `json:"healed"`
}

func (z zone) leg(a call.LegAudio) legDTO {
	d := legDTO{
		Role: a.Role, Agent: a.Agent, Number: a.Number, Codec: a.Codec, Secure: a.Secure, PacketsIn: a.PacketsIn, PacketsOut: a.PacketsOut,
		Lost: a.Lost, Late: a.Late, Duplicate: a.Duplicate, Strangers: a.Strangers, FarLost: a.FarLost,
		Jitter: millis(a.JitterMS), FarJitter: millis(a.FarJitterMS), RoundTrip: millis(a.RoundTripMS),
		MOS: opinion(a.MOS), MOSIn: opinion(a.MOSIn), MOSOut: opinion(a.MOSOut), Silent: a.Silent, NoMedia: a.NoMedia, LeftOut: a.LeftOut,
	}
	if w := a.OneWay; w != nil {
		d.OneWay = &oneWayDTO{At: z.at(w.At), Count: w.Count, Healed: z.maybe(w.Healed)}
	}
	return d
}
