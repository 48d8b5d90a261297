package config

import "strings"

// checkAlarmKey: a menu's own key goes before the alarm's. Where the alarm's was chosen by hand, that is a mistake:
// callers would be told of a key that does something else here.
func (r *reader) checkAlarmKey() {
	key := r.cfg.Alarm.Key
	if key == "" || !r.written("alarm.key") || r.broken["alarm.key"] {
		return
	}
	for _, name := range sortedKeys(r.cfg.Menus) {
		m := r.cfg.Menus[name]
		var at string
		switch to, choice := m.Keys[key]; {
		case choice && to.Queue != r.cfg.Alarm.Queue:
			at = ".keys." + key
		case m.Languages[key] != "":
			at = ".languages." + key
		case m.Kind == MenuDigits && (key == m.Digits.End || strings.Contains("0123456789", key) || key == "#" && m.Digits.Confirm):
			at = ".end"
		case m.Kind == MenuVoicemail && m.Voicemail.Review && strings.Contains("123", key):
			at = ".review"
		case m.Kind == MenuVoicemail && key == "#", m.Kind == MenuSurvey && strings.Contains("12345", key):
		case m.Kind == MenuSurvey && m.Survey.Second != "" && strings.Contains(m.Survey.SecondKeys, key):
			at = ".second_keys"
		default:
			continue
		}
		r.report(menuPath(name)+at, "the key of alarms, "+quote(key), "another key here, or another alarm.key")
	}
}
