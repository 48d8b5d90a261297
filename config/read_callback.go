package config

import "time"

func callbackDefaults() Callback {
	return Callback{Tries: 3, Every: 5 * time.Minute, Ring: 30 * time.Second, PerDay: 3, Open: 200}
}

// surveyFields are the keys of a queue's survey.
func (s *QueueSurvey) surveyFields() []field {
	return []field{
		{keySurvey, func(v value) { v.text(&s.Survey, nameShape) }},
		{"survey_after_hangup", func(v value) { v.boolean(&s.SurveyAfterHangup) }},
	}
}

func (r *reader) callback(v value) {
	c := &r.cfg.Callback
	v.fields(
		field{keyTries, func(v value) { v.integer(&c.Tries, 1, 10) }},
		field{keyEvery, func(v value) { v.duration(&c.Every, 10*time.Second, 12*time.Hour) }},
		field{"ring", func(v value) { v.duration(&c.Ring, 5*time.Second, 2*time.Minute) }},
		field{"per_day", func(v value) { v.integer(&c.PerDay, 1, 100) }},
		field{keyOpen, func(v value) { v.integer(&c.Open, 1, 10_000) }},
	)
}
