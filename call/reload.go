package call

// Settings are what of the [Options] a reload changes, with the same meaning; the ports stay as they are.
type Settings struct {
	Menus     Menus
	Prompts   Prompts
	Languages map[string]Prompts
	Alarm     AlarmKey
	Shed      map[string]ShedMenu
	Queues    map[string]QueueOptions
	Targets   Targets

	Supervisors map[string]bool
}

// generations are the settings in force, and those before them; nil before the first reload.
type generations struct{ now, before *Options }

// Reload puts settings in force, whole. Calls take them up as they enter their next stage that is not a menu:
// a caller who is in menus goes on with the graph and the prompts that they have heard so far, and one who
// waits with the queue they came to. Who is a supervisor no more is taken off the line at once.
func (x *Exchange) Reload(s Settings) {
	x.metrics.begin(s.Queues)
	next := x.Options
	next.Menus, next.Prompts, next.Languages = s.Menus, s.Prompts, s.Languages
	next.Alarm, next.Shed, next.Queues, next.Targets = s.Alarm, s.Shed, s.Queues, s.Targets
	next.Supervisors = s.Supervisors
	x.reloads.Lock()
	defer x.reloads.Unlock()
	now, _ := x.settings()
	x.generations.Store(&generations{now: &next, before: now})
	x.dismissSupervisors(&next)
}

// settings are those in force, and those that were before the last reload, if there was one.
func (x *Exchange) settings() (now, before *Options) {
	if g := x.generations.Load(); g != nil {
		return g.now, g.before
	}
	return &x.Options, nil
}

// takeUp takes up the settings in force, as the call is about to enter a stage. A call that walks menus keeps
// its own until it is through, a number outside that a menu calls included, since the menus may go on where it is not
// reached; and so does one on its way to a queue that is no more: what the queue says, and
// where it sends those it turns away, is what it was.
func (c *Call) takeUp(at Next) {
	if at.Kind == Menu || at.Kind == Dial && at.Else != nil {
		return
	}
	now, before := c.x.settings()
	switch {
	case now.knows(at):
		c.now = now
	case !c.now.knows(at) && before != nil:
		c.now = before
	}
}

// knows reports whether the settings have the queue that a call is on its way to, and what is asked of a caller
// for whom there is no line.
func (o *Options) knows(at Next) bool {
	_, queue := o.Queues[at.Queue]
	_, shed := o.Shed[at.Menu]
	return (queue || at.Queue == "") && (shed || at.Kind != Shed)
}

// otherSettings are where a menu may be that the call's own settings do not have: one that is new, or one that
// was taken away in the instant in which a number led there.
func (c *Call) otherSettings() (others []*Options) {
	now, before := c.x.settings()
	for _, o := range []*Options{now, before} {
		if o != nil && o != c.now {
			others = append(others, o)
		}
	}
	return others
}
