package config

import (
	"regexp"
	"strings"
	"time"
)

var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // by time.Weekday

var (
	daysShape = shape{
		regexp.MustCompile(`^(sun|mon|tue|wed|thu|fri|sat)(-(sun|mon|tue|wed|thu|fri|sat))?$`),
		"a day or days of the week, such as sat or mon-fri",
	}
	dateShape = shape{regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`), "a day, such as 2026-12-31"}
)

const wantHours = "a list of hours, such as [08:00-12:00, 14:00-17:30]; [] is closed"

func (r *reader) calendars(v value) {
	r.cfg.Calendars = map[string]Calendar{}
	v.entries(func(name string, child value) {
		if !child.name(name, nameShape) {
			return
		}
		c := Calendar{Exceptions: map[Date][]Hours{}}
		child.fields(
			field{"timezone", func(v value) { v.zone(&c.Timezone) }},
			field{"week", func(v value) { v.week(&c.Week) }},
			field{"holidays", func(v value) { oneOf(v, &c.Holidays, "cn") }},
			field{"exceptions", func(v value) { v.exceptions(c.Exceptions) }},
		)
		child.require("week", "the hours of days, such as {mon-fri: [08:00-17:30]}")
		r.cfg.Calendars[name] = c
	})
}

func (v value) zone(dst **time.Location) {
	const want = "a zone of the IANA database, such as Asia/Shanghai"
	text, ok := v.scalar(want)
	if !ok {
		return
	}
	zone, err := time.LoadLocation(text)
	if err != nil || text == "Local" {
		v.problem(v.found(), want)
		return
	}
	*dst = zone
}

func (v value) week(week *[7][]Hours) {
	seen := map[int]string{}
	v.entries(func(days string, child value) {
		if !child.name(days, daysShape) {
			return
		}
		hours := child.open()
		first, last, span := strings.Cut(days, "-")
		if !span {
			last = first
		}
		for day := weekday(first); ; day = (day + 1) % len(weekdays) {
			if other, twice := seen[day]; twice {
				child.problem(weekdays[day]+" again, as in "+other, "each day once")
				return
			}
			seen[day] = days
			week[day] = hours
			if day == weekday(last) {
				return
			}
		}
	})
}

func weekday(name string) int {
	for i, day := range weekdays {
		if day == name {
			return i
		}
	}
	return 0
}

// open takes the hours of a day.
func (v value) open() (list []Hours) {
	v.items(wantHours, func(_ int, item value) {
		var h Hours
		item.hours(&h)
		if !v.r.broken[item.path] {
			list = append(list, h)
		}
	})
	return list
}

func (v value) exceptions(days map[Date][]Hours) {
	v.items("a list of {date, open}", func(_ int, item value) {
		var text string
		var hours []Hours
		item.fields(
			field{"date", func(v value) { v.text(&text, dateShape) }},
			field{"open", func(v value) { hours = v.open() }},
		)
		item.require("date", dateShape.want)
		if v.r.broken[item.path] {
			return
		}
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			v.r.report(item.path+".date", quote(text)+", which no month has", dateShape.want)
			return
		}
		date := Date{at.Year(), at.Month(), at.Day()}
		if _, twice := days[date]; twice {
			v.r.report(item.path+".date", quote(text)+" again", "each day once")
			return
		}
		days[date] = hours
	})
}
