package config

import (
	"regexp"
	"time"
)

// The shapes of what phones dial.
var (
	codeShape   = shape{regexp.MustCompile(`^([*#][0-9]{1,6})?$`), `* or #, then 1 to 6 digits, such as "*11"; "" is off`}
	digitsShape = shape{regexp.MustCompile(`^[0-9]{1,8}$`), "1 to 8 digits"}
)

// codeKeys are the keys of `codes`, in the order of Codes, each with where it is read to.
func codeKeys(c *Codes) []struct {
	name string
	code *string
} {
	return []struct {
		name string
		code *string
	}{
		{"login", &c.Login},
		{"logout", &c.Logout},
		{"pause", &c.Pause},
		{"ready", &c.Ready},
		{"wrap_up", &c.WrapUp},
		{"extend", &c.Extend},
		{"end", &c.End},
		{keySurvey, &c.Survey},
		{keyListen, &c.Listen},
	}
}

func codesDefaults() Codes {
	return Codes{
		Login: "*11", Logout: "*12", Pause: "*21", Ready: "*22", WrapUp: "*31", Extend: "*32", End: "*33", Survey: "*9", Listen: "*41",
		Reasons: map[string]string{},
	}
}

func (r *reader) codes(v value) {
	var fields []field
	for _, k := range codeKeys(&r.cfg.Codes) {
		fields = append(fields, field{k.name, func(v value) { v.text(k.code, codeShape) }})
	}
	v.fields(append(fields, field{"reasons", func(v value) { r.cfg.Codes.Reasons = v.meanings() }})...)
}

// meanings reads what digits stand for.
func (v value) meanings() map[string]string {
	meanings := map[string]string{}
	v.entries(func(digits string, child value) {
		if !child.name(digits, digitsShape) {
			return
		}
		var text string
		child.text(&text, titleShape)
		meanings[digits] = text
	})
	return meanings
}

// shiftFields are the keys of a queue that are about its agents' shifts.
func (s *Shifts) shiftFields() []field {
	return []field{
		{"wrap_up_max", func(v value) { v.duration(&s.WrapUpMax, 0, 8*time.Hour) }},
		{"codes", func(v value) { s.Codes = v.meanings() }},
		{"digits", func(v value) { v.text(&s.Digits, digitsShape) }},
		{"auto_pause", func(v value) { v.integer(&s.AutoPause, 0, 100) }},
		{"last_agent", func(v value) {
			v.fields(
				field{"within", func(v value) { v.duration(&s.LastAgent.Within, 0, 30*day) }},
				field{"wait", func(v value) { v.duration(&s.LastAgent.Wait, 0, 10*time.Minute) }},
			)
		}},
	}
}
