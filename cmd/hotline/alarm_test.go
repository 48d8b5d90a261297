package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/config"
)

// TestShedMenus: the key that is said is a menu's own, or of one that it leads to, else the alarm's, which works too.
func TestShedMenus(t *testing.T) {
	to := func(menu, queue string) config.Destination { return config.Destination{Menu: menu, Queue: queue} }
	menus := map[string]config.Menu{
		"main":  {Keys: map[string]config.Destination{"1": to("", "consult"), "3": to("", "gas")}, Otherwise: to("", "consult")},
		"outer": {Keys: map[string]config.Destination{"1": to("outer", ""), "2": to("main", "")}, Otherwise: to("", "consult")},
		"past":  {Keys: map[string]config.Destination{"1": to("", "consult")}, Otherwise: to("main", "")},
		"none":  {Keys: map[string]config.Destination{"1": to("", "consult")}, Otherwise: to("", "consult")},
	}
	app := func(alarm config.Alarm) *app { return &app{cfg: &config.Config{Menus: menus, Alarm: alarm}} }
	of := func(keys string, key ...string) call.ShedMenu {
		return call.ShedMenu{Queue: "gas", Keys: keys, Prompts: append([]string{"busy-alarm-only"}, key...)}
	}
	require.Equal(t, map[string]call.ShedMenu{
		"main": of("3*", "digit-3"), "outer": of("3*", "digit-3"), "past": of("3*", "digit-3"), "none": of("**", "key-star"),
	}, app(config.Alarm{Queue: "gas", Key: "*"}).shedMenus())
	require.Equal(t, map[string]call.ShedMenu{
		"main": of("3", "digit-3"), "outer": of("3", "digit-3"), "past": of("3", "digit-3"),
	}, app(config.Alarm{Queue: "gas"}).shedMenus())
	require.Equal(t, of("##", "key-pound"), app(config.Alarm{Queue: "gas", Key: "#"}).shedMenus()["none"])
	require.Empty(t, app(config.Alarm{Key: "*"}).shedMenus())
}

// TestShedMenusOfAnyKind: a menu leads to alarms by whatever its kind says where to go, and not by keys alone.
func TestShedMenusOfAnyKind(t *testing.T) {
	t.Parallel()
	main := config.Destination{Menu: "main"}
	menus := map[string]config.Menu{
		"main":     {Keys: map[string]config.Destination{"3": {Queue: "gas"}}, Otherwise: config.Destination{Queue: "consult"}},
		"play":     {Kind: config.MenuPlay, Next: main},
		"open":     {Kind: config.MenuHours, Open: main, Closed: config.Destination{Queue: "consult"}},
		"closed":   {Kind: config.MenuHours, Closed: main, Open: config.Destination{Queue: "consult"}},
		"lookup":   {Kind: config.MenuLookup, Lookup: config.Lookup{Cases: map[string]config.Destination{"x": main}}},
		"language": {Kind: config.MenuLanguage, Next: config.Destination{Menu: "play"}},
		"none":     {Kind: config.MenuPlay, Next: config.Destination{Queue: "consult"}},
	}
	shed := (&app{cfg: &config.Config{Menus: menus, Alarm: config.Alarm{Queue: "gas"}}}).shedMenus()
	for _, name := range []string{"main", "play", "open", "closed", "lookup", "language"} {
		require.Equal(t, "3", shed[name].Keys, name)
	}
	require.NotContains(t, shed, "none")
}
