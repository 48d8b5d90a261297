package ivr

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// A graph can be drawn whatever is wrong with it.
func TestGraph(t *testing.T) {
	repair := call.Next{Kind: call.Wait, Queue: "repair"}
	nowhere := call.Next{Kind: call.Menu, Menu: "nowhere"}
	require.Equal(t, []View{
		{Name: "hours", Kind: "hours", Ways: []ViewWay{
			{Field: "open", Next: nowhere, Silent: true}, {Field: "closed", Silent: true},
		}},
		{Name: "main", Kind: "menu", Prompt: "welcome", Prompts: []ViewPrompt{
			{"prompt", "welcome"}, {"no_key", DefaultNoKey}, {"invalid_key", DefaultInvalidKey},
		}, Ways: []ViewWay{
			{Field: "keys.2", Next: repair}, {Field: "otherwise", Next: nowhere, Silent: true},
		}},
		{Name: "odd", Kind: "maze", Prompt: "lost"},
	}, Graph(Options{Menus: map[string]MenuOptions{
		"main":  {Prompt: "welcome", Keys: map[string]call.Next{"2": repair, "22": repair}, Otherwise: nowhere},
		"hours": {Kind: "hours", Hours: HoursOptions{Calendar: "none", Open: nowhere}},
		"odd":   {Kind: "maze", Prompt: "lost"},
	}}))
}
