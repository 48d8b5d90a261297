package main

import "time"

// cpuTime is how much CPU time this process has used, of user and system.
func cpuTime() (time.Duration, error) {
	user, system, err := cpuTimes()
	return user + system, err
}
