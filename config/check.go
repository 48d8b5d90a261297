package config

// check looks at what only several settings together can get wrong. Each check_*.go adds its problems
// to the reader's, and changes nothing.
func (r *reader) check() {
	r.checkAddresses()
	r.checkAudio()
	r.checkPorts()
	r.checkNode()
	r.checkTokens()
	r.checkTrunks()
	r.checkLogins()
	r.checkDial()
	r.checkAgents()
	r.checkSRTP()
	r.checkCodes()
	r.checkRoutes()
	r.checkAlarm()
	r.checkAlarmKey()
	r.checkCallbacks()
	r.checkCircles()
	r.checkLimits()
	r.checkAbuse()
	r.checkSurveys()
	r.checkSafety()
	r.checkPrompts()
	r.checkTargets()
	r.checkWebhooks()
}
