package config

import (
	"maps"
	"slices"
	"strings"
)

// checkRoutes: every way leads somewhere, everything is led to, and every queue has somebody. What callers
// would live through in the menus is [Checker]'s to judge.
func (r *reader) checkRoutes() {
	c := r.cfg
	known := map[string][]string{keyMenus: sortedKeys(c.Menus), keyQueues: sortedKeys(c.Queues)}
	for i, t := range c.Trunks {
		for _, number := range sortedKeys(t.Numbers) {
			r.checkWay(known, trunkPath(i)+".numbers."+number, t.Numbers[number])
		}
	}
	for _, name := range sortedKeys(c.Menus) {
		for _, w := range c.Menus[name].ways() {
			r.checkWay(known, menuPath(name)+"."+w.key, w.to)
		}
		if queue := c.Menus[name].Voicemail.Queue; queue != "" {
			r.checkWay(known, menuPath(name)+"."+keyQueue, Destination{Queue: queue})
		}
		r.checkCalendarOf(name)
	}
	for _, name := range sortedKeys(c.Queues) {
		ways := c.Queues[name].ways()
		for _, path := range sortedKeys(ways) {
			r.checkWay(known, keyQueues+"."+name+"."+path, ways[path])
		}
	}
	menus, queues := r.reached()
	// Where no number leads anywhere yet, nothing is led to, and that is no mistake.
	if len(menus)+len(queues) > 0 && r.written(keyMenus) && !r.lost[keyMenus] && !r.lost["trunks"] {
		for _, name := range sortedKeys(c.Menus) {
			if !menus[name] {
				r.report(menuPath(name), "a menu that nothing leads to",
					"a number of a trunk, a key of a menu, or a queue that sends its callers there")
			}
		}
	}
	r.checkServed(queues)
}

func (r *reader) checkWay(known map[string][]string, path string, d Destination) {
	if d.Hangup {
		return
	}
	if d.Dial != "" {
		r.checkOutside(path, d.Dial)
		return
	}
	r.checkDirect(path, d)
	_, isMenu := r.cfg.Menus[d.Menu]
	_, isQueue := r.cfg.Queues[d.Queue]
	if isMenu || isQueue {
		return
	}
	place, name := keyMenus, d.Menu
	if d.Queue != "" {
		place, name = keyQueues, d.Queue
	}
	if r.gaps[place] {
		return
	}
	found := "no " + strings.TrimSuffix(place, "s") + " " + quote(name)
	if !r.written(path) {
		found += " (the default, since it is left out)"
	}
	r.report(path, found, "a name in "+place+suggest(r, name, known[place]))
}

func menuPath(name string) string { return keyMenus + "." + name }

// checkCalendarOf: the hours that a menu asks are there.
func (r *reader) checkCalendarOf(menu string) {
	r.checkCalendar(menuPath(menu)+".calendar", r.cfg.Menus[menu].Calendar)
}

// checkCalendar: the one named at a path exists; none may be named.
func (r *reader) checkCalendar(path, name string) {
	if _, ok := r.cfg.Calendars[name]; ok || name == "" || r.gaps[keyCalendar] {
		return
	}
	r.report(path, "no calendar "+quote(name),
		"a name in calendar"+suggest(r, name, sortedKeys(r.cfg.Calendars)))
}

// reached returns the menus and queues that the numbers lead to.
func (r *reader) reached() (menus, queues map[string]bool) {
	menus, queues = map[string]bool{}, map[string]bool{}
	var todo []Destination
	alarm := r.cfg.Alarm
	keyed := func() { // it works in every menu, and while waiting
		if alarm.Key != "" && alarm.Queue != "" {
			todo = append(todo, Destination{Queue: alarm.Queue})
		}
	}
	for _, t := range r.cfg.Trunks {
		for _, d := range t.Numbers {
			todo = append(todo, d)
		}
	}
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if d.Queue != "" && !queues[d.Queue] {
			queues[d.Queue] = true
			if _, own := r.cfg.Queues[d.Queue].Keys[alarm.Key]; !own {
				keyed()
			}
			todo = slices.AppendSeq(todo, maps.Values(r.cfg.Queues[d.Queue].ways()))
		}
		if d.Menu == "" || menus[d.Menu] {
			continue
		}
		menus[d.Menu] = true
		keyed()
		for _, w := range r.cfg.Menus[d.Menu].ways() {
			todo = append(todo, w.to)
		}
	}
	return menus, queues
}

// checkServed: a queue without agents keeps its callers for ever. Where there are no agents at all,
// the hotline is being set up. A queue that is only there by default must be led to.
func (r *reader) checkServed(reached map[string]bool) {
	if len(r.cfg.Agents) == 0 || r.lost["agents"] {
		return
	}
	served := map[string]bool{}
	for _, a := range r.cfg.Agents {
		for skill := range a.Skills {
			served[skill] = true
		}
	}
	for _, name := range sortedKeys(r.cfg.Queues) {
		if !served[name] && (r.written(keyQueues) || reached[name]) {
			r.report("queues."+name, "a queue that nobody serves", "an agent with skills: {"+name+": 1}")
		}
	}
}
