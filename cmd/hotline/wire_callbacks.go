package main

import "hotline/call"

// callbackOptions are how callers are called back.
func (a *app) callbackOptions() call.CallbackOptions {
	c := a.cfg.Callback
	return call.CallbackOptions{
		Bookings: a.store, Allowed: a.ua.MayDial, Tries: c.Tries, Every: c.Every, Ring: c.Ring, PerDay: c.PerDay, Open: c.Open,
		Location: a.cfg.Service.Timezone,
	}
}
