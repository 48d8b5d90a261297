package calendar

import "time"

// China names the public holidays of the People's Republic, as the General Office of the State Council
// arranges them each year, with the weekend days worked in exchange (调休).
const China = "cn"

// nations is the table of public holidays.
var nations = map[string]*holidays{China: newHolidays(china)}

// holidays are public holidays by day.
type holidays struct {
	off, working map[Date]bool
	years        map[int]bool // that all is known of
}

// arrangement is that of one holiday.
type arrangement struct {
	first   Date
	days    int    // off, the first included
	working []Date // instead
}

// china has the arrangements of 2025 and 2026, from the notices of the General Office of the State Council on the
// holidays of those years (国务院办公厅关于2025年、2026年部分节假日安排的通知), of 12 November 2024 and of 4 November
// 2025. A year that is not here has its weekly plan alone: until its notice is added, days are exceptions of a
// calendar.
var china = []arrangement{
	{first: Date{2025, time.January, 1}, days: 1},
	{
		first: Date{2025, time.January, 28}, days: 8, // 春节
		working: []Date{{2025, time.January, 26}, {2025, time.February, 8}},
	},
	{first: Date{2025, time.April, 4}, days: 3},                                        // 清明节
	{first: Date{2025, time.May, 1}, days: 5, working: []Date{{2025, time.April, 27}}}, // 劳动节
	{first: Date{2025, time.May, 31}, days: 3},                                         // 端午节
	{
		first: Date{2025, time.October, 1}, days: 8, // 国庆节、中秋节
		working: []Date{{2025, time.September, 28}, {2025, time.October, 11}},
	},

	{first: Date{2026, time.January, 1}, days: 3, working: []Date{{2026, time.January, 4}}},
	{
		first: Date{2026, time.February, 15}, days: 9, // 春节
		working: []Date{{2026, time.February, 14}, {2026, time.February, 28}},
	},
	{first: Date{2026, time.April, 4}, days: 3},                                     // 清明节
	{first: Date{2026, time.May, 1}, days: 5, working: []Date{{2026, time.May, 9}}}, // 劳动节
	{first: Date{2026, time.June, 19}, days: 3},                                     // 端午节
	{first: Date{2026, time.September, 25}, days: 3},                                // 中秋节
	{
		first: Date{2026, time.October, 1}, days: 7, // 国庆节
		working: []Date{{2026, time.September, 20}, {2026, time.October, 10}},
	},
}

func newHolidays(all []arrangement) *holidays {
	h := &holidays{off: map[Date]bool{}, working: map[Date]bool{}, years: map[int]bool{}}
	for _, a := range all {
		h.years[a.first.Year] = true
		for i := range a.days {
			h.off[dateOf(a.first.noon().AddDate(0, 0, i))] = true
		}
		for _, d := range a.working {
			h.working[d] = true
		}
	}
	return h
}
