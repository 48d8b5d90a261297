package config

// wantNotDropped is where a caller may be sent whom a queue has no room for.
const wantNotDropped = "{menu: NAME}, {queue: NAME} or {dial: NUMBER}"

// limitOf is the key of the limit by which a queue turns callers away.
var limitOf = map[Overflow]string{
	OverflowFull: "max_waiting", OverflowEmpty: "when_empty", OverflowTooLong: "max_wait", OverflowClosed: keyHours, OverflowExpected: "max_expected",
}

// limited reports whether the queue turns callers away for a reason.
func (q Queue) limited(why Overflow) bool {
	switch why {
	case OverflowFull:
		return q.MaxWaiting > 0
	case OverflowEmpty:
		return q.WhenEmpty == EmptyTurn
	case OverflowClosed:
		return q.Hours != ""
	case OverflowTooLong:
		return q.MaxWait > 0
	case OverflowExpected:
		return q.MaxExpected > 0
	default:
		return false
	}
}

// checkLimits: nobody is turned away without somewhere to go, nothing leads away that nobody is sent, and an alarm is
// never turned away.
func (r *reader) checkLimits() {
	for _, name := range sortedKeys(r.cfg.Queues) {
		q := r.cfg.Queues[name]
		path := keyQueues + "." + name
		for _, why := range sortedKeys(limitOf) {
			limit, way := path+"."+limitOf[why], path+"."+keyOverflow+"."+string(why)
			_, leads := q.Overflow[why]
			switch {
			case q.limited(why) && name == r.cfg.Alarm.Queue:
				r.report(limit, "a limit of the alarm's queue", "it left out: an alarm is never turned away")
			case q.limited(why) && !leads && !r.lost[way]:
				r.report(limit, "callers turned away to nowhere", keyOverflow+"."+string(why)+" with "+wantNotDropped)
			case !q.limited(why) && leads && !r.broken[limit]:
				r.report(way, "where nobody is sent", limitOf[why]+", or this left out")
			}
		}
		r.checkCalendar(path+".hours", q.Hours)
		for _, why := range sortedKeys(q.Overflow) {
			if q.Overflow[why].Hangup {
				r.report(path+"."+keyOverflow+"."+string(why), "callers dropped", wantNotDropped+"; a menu can say why and hang up")
			}
		}
		if every := q.Position.Every; every > 0 && every < leastEvery {
			r.report(path+".position.every", brief(every), "0s (never), or 5s to 1h")
		}
	}
}

// ways are where a queue may send a caller, by the path of what says so.
func (q Queue) ways() map[string]Destination {
	ways := map[string]Destination{}
	for why, to := range q.Overflow {
		ways[keyOverflow+"."+string(why)] = to
	}
	for key, to := range q.Keys {
		if !to.Callback {
			ways[keyKeys+"."+key] = to.Destination
		}
	}
	if q.Survey != "" {
		ways[keySurvey] = Destination{Menu: q.Survey}
	}
	return ways
}
