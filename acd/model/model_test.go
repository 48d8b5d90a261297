package model_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/acd/model"
)

// TestOthersWhileOneWaitsForARegular: two phones are taken back together, and stop ringing one by one. The first may go to
// a caller further back if the one in front still waits for the other agent alone, and for no other reason.
func TestOthersWhileOneWaitsForARegular(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string]bool{"for a regular": true, "for anybody": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := model.New(model.Options{
				Queues: []acd.Queue{
					{Name: "repair", Strategy: acd.RingAll},
					{Name: "consult", Strategy: acd.RingAll, LastAgent: acd.LastAgent{Within: time.Hour, Wait: time.Minute}},
				},
				Agents: []acd.Agent{
					{ID: "1", Skills: map[string]int{"repair": 1, "consult": 1}},
					{ID: "2", Skills: map[string]int{"repair": 1, "consult": 1}},
				},
				Limit: 15 * time.Second, NoProgress: 2 * time.Second, Cycle: 5 * time.Second, Rescue: 10 * time.Second,
			})
			rang := func(agent, caller string) { require.NoError(t, d.Rang(agent, caller)) }
			d.Flow("1", true)
			d.Flow("2", true)
			d.Join("first", "repair", "", false, false)
			rang("1", "first")
			rang("2", "first")
			require.NoError(t, d.Settled())
			d.Join("back", "consult", "", false, false)
			require.NoError(t, d.Settled())
			d.Join("front", "consult", "", true, false)
			if waits {
				d.Prefer("1")
			}
			require.NoError(t, d.Settled())

			d.Abandon("first")
			rang("1", "front")
			rang("2", "back")
			if waits {
				require.NoError(t, d.Settled())
			} else {
				require.ErrorContains(t, d.Settled(), "2 was rung for back before front")
			}
		})
	}
}
