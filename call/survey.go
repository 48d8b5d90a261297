package call

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/media"
)

// Score is one answer of a caller who was asked how the service was.
type Score struct {
	// Question is the name of the prompt that asked.
	Question string    `json:"question"`
	Score    int       `json:"score"` // 0 to 5
	At       time.Time `json:"at"`
	// Queue and Agent are of the talk that it is about; empty when there was none.
	Queue string `json:"queue,omitempty"`
	Agent string `json:"agent,omitempty"`
}

// SurveyOptions say how an agent hands a caller over to the survey.
type SurveyOptions struct {
	// Code is what an agent's phone dials for it: pressed in the talk, or transferred to. Empty: nothing.
	Code string
}

// MaxScores is how many scores a call keeps: a survey that leads back to itself is not to cost memory without end.
const MaxScores = 32

// newScores is the histogram of what callers said, whole points each.
func newScores() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hotline_survey_score", Help: "What callers said of the service, by the queue of their last talk.",
		Buckets: prometheus.LinearBuckets(0, 1, 6),
	}, []string{byQueue, "question"})
}

// Rate implements Line.
func (c *Call) Rate(question string, score int) {
	s := Score{Question: question, Score: score, At: time.Now()}
	if n := len(c.rec.Talks); n > 0 {
		s.Queue, s.Agent = c.rec.Talks[n-1].Queue, c.rec.Talks[n-1].Agent
	}
	if len(c.rec.Survey) < MaxScores {
		c.rec.Survey = append(c.rec.Survey, s)
		c.publish()
	}
}

// surveyOf is the Next of a caller whom an agent hands over to the survey of the queue; none if that has none.
func (c *Call) surveyOf(queue string) (next Next, ok bool) {
	menu := c.now.Queues[queue].Survey
	return Next{Kind: Menu, Menu: menu}, menu != "" && c.by == ""
}

// surveyed turns a transfer to the survey's code into one to the survey of the talk's queue; any other stays as it is.
func (t *talking) surveyed(to Next) Next {
	if code := t.c.x.Survey.Code; to.Kind == Code && code != "" && to.Code == code {
		if next, ok := t.c.surveyOf(t.at.Queue); ok {
			return next
		}
	}
	return to
}

// surveyWithin is how far apart two keys of the survey's code may be.
const surveyWithin = 3 * time.Second

// typed are the keys that an agent has pressed in a talk, as far as they are the beginning of the survey's code.
type typed struct {
	keys []media.Key
	last time.Time
}

// add takes a key, and reports whether the code is complete.
func (k *typed) add(key media.Key, at time.Time, code string) bool {
	if at.Sub(k.last) > surveyWithin {
		k.keys = k.keys[:0]
	}
	k.keys, k.last = append(k.keys, key), at
	if len(k.keys) > len(code) {
		k.keys = k.keys[1:]
	}
	return code != "" && string(k.keys) == code
}

// keyed acts on a key that the agent pressed: the survey's code hands the caller over.
func (t *talking) keyed(cmd KeyPressed) (next Next, moved bool) {
	c := t.c
	if !t.typed.add(cmd.Key, cmd.At, c.x.Survey.Code) || t.record().Joined == nil || c.transfer != nil {
		return Next{}, false
	}
	if next, moved = c.surveyOf(t.at.Queue); moved {
		c.log.Info("caller handed over to the survey", zap.String("agent", t.at.Agent), zap.String("queue", t.at.Queue))
	}
	return next, moved
}
