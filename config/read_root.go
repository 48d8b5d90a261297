package config

import (
	"cmp"
	"net/url"
	"time"
	_ "time/tzdata" // a bare container has no time zones, and the reference must load there
)

// root reads the whole tree; read_*.go have its branches.
func (r *reader) root(v value) {
	c := r.cfg
	v.fields(
		field{"service", r.service},
		field{keySIP, r.sip},
		field{"media", r.media},
		field{keyHTTP, r.http},
		field{"data", func(v value) { v.text(&c.Data, pathShape) }},
		field{"drain", func(v value) { v.duration(&c.Drain, 0, day) }},
		field{"dial", r.dial},
		field{"trunks", r.trunks},
		field{"agents", r.agents},
		field{keyMenus, r.menus},
		field{keyCalendar, r.calendars},
		field{keyQueues, r.queues},
		field{"ageing", func(v value) { v.duration(&c.Ageing, 0, time.Hour) }},
		field{"targets", r.targets},
		field{keyAlarm, r.alarm},
		field{"callback", r.callback},
		field{"recorder", r.recorder},
		field{keyPrompts, r.prompts},
		field{"codes", r.codes},
		field{"webhooks", r.webhooks},
		field{"records", r.records},
		field{keyState, r.state},
		field{keyNode, r.node},
		field{"observe", r.observe},
	)
}

const wantRecords = "postgres://USER:PASSWORD@HOST:PORT/DATABASE, or ${NAME} or file:PATH that has all of it"

// records reads where call records are kept. What is wrong is not shown: it may hold a password.
func (r *reader) records(v value) {
	dst := &r.cfg.Records
	switch given := v.secret(dst); {
	case !given:
		v.problem("nothing, or what is not set", wantRecords)
	case dst.value != "" && !postgresURL(dst.value):
		v.problem("not such a URL", wantRecords)
	}
}

func postgresURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") && u.Fragment == ""
}

func (r *reader) service(v value) {
	s := &r.cfg.Service
	v.fields(
		field{keyName, func(v value) { v.text(&s.Name, titleShape) }},
		field{"timezone", func(v value) { v.text(&r.timezone, titleShape) }},
		field{"language", func(v value) { v.text(&s.Language, languageShape) }},
	)
}

func (r *reader) targets(v value) {
	t := &r.cfg.Targets
	v.fields(
		field{"answer_rings", func(v value) { v.integer(&t.AnswerRings, 1, 20) }},
		field{"ring", func(v value) {
			v.fields(
				field{"on", func(v value) { v.duration(&t.Ring.On, 100*time.Millisecond, 10*time.Second) }},
				field{"off", func(v value) { v.duration(&t.Ring.Off, 0, 20*time.Second) }},
			)
		}},
		field{"talk", func(v value) { v.duration(&t.Talk, time.Second, day) }},
		field{"talk_warn", func(v value) { v.duration(&t.TalkWarn, 0, day) }},
		field{"hold", func(v value) { v.duration(&t.Hold, 0, time.Hour) }},
		field{"service_level", func(v value) {
			v.fields(
				field{"percent", func(v value) { v.integer(&t.ServiceLevel.Percent, 1, 100) }},
				field{"within", func(v value) { v.duration(&t.ServiceLevel.Within, time.Second, time.Hour) }},
			)
		}},
	)
}

func (r *reader) recorder(v value) {
	v.fields(
		field{"enabled", func(v value) { v.boolean(&r.cfg.Recorder.Enabled) }},
		field{"keep", func(v value) { v.duration(&r.cfg.Recorder.Keep, time.Hour, 36500*day) }},
	)
}

func (r *reader) prompts(v value) {
	v.fields(field{"folder", func(v value) { v.text(&r.cfg.Prompts.Folder, pathShape) }})
}

// settle fills in what depends on several keys.
func (r *reader) settle() {
	c := r.cfg
	zone, err := time.LoadLocation(cmp.Or(r.timezone, defaultTimezone))
	if err != nil {
		r.report("service.timezone", quote(r.timezone), "a zone of the IANA database, such as Asia/Shanghai")
	}
	c.Service.Timezone = zone
	for name, calendar := range c.Calendars {
		if calendar.Timezone == nil {
			calendar.Timezone, calendar.ofService = zone, true
			c.Calendars[name] = calendar
		}
	}
	if !r.written("targets.talk_warn") {
		c.Targets.TalkWarn = c.Targets.Talk * 5 / 6
	}
	if c.SIP.MaxCalls == 0 {
		c.SIP.MaxCalls = c.Media.Ports.Pairs() / 2 // a caller's and an agent's
	}
	r.settleAlarm()
	r.settleNode()
	if !c.Media.Advertise.IsValid() {
		c.Media.Advertise = c.Media.Address
	}
	if !r.written(keyMenus) && r.written(keyQueues) && !r.anyNumber(func(d Destination) bool { return d.Menu != "" }) {
		c.Menus = map[string]Menu{}
	}
}

func (r *reader) anyNumber(ok func(Destination) bool) bool {
	for _, t := range r.cfg.Trunks {
		for _, d := range t.Numbers {
			if ok(d) {
				return true
			}
		}
	}
	return false
}
