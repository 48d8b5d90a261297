package config

import (
	"fmt"
	"time"
)

// Calendar is when something is open.
type Calendar struct {
	Timezone *time.Location // key `timezone`, default that of service
	// Week has the hours of each day, by time.Weekday; none: closed all day. Keys mon to sun, and spans of
	// them such as mon-fri.
	Week [7][]Hours
	// Holidays are the public holidays that are closed, with the working days that make up for them: cn, or
	// none by default.
	Holidays string
	// Exceptions are days with hours of their own, which go before everything; none: closed.
	Exceptions map[Date][]Hours

	ofService bool // Timezone is that of service
}

// GoOnIn has the service, and the calendars that name no time zone of their own, go by a zone other than the file's:
// one that is in force already.
func (c *Config) GoOnIn(zone *time.Location) {
	c.Service.Timezone = zone
	for name, calendar := range c.Calendars {
		if calendar.ofService {
			calendar.Timezone = zone
			c.Calendars[name] = calendar
		}
	}
}

// Date is a day.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// MarshalText implements encoding.TextMarshaler: 2026-12-31 (RFC 3339 section 5.6, full-date).
func (d Date) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%04d-%02d-%02d", d.Year, d.Month, d.Day), nil
}
