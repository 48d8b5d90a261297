package call

import "strings"

// Mask hides a telephone number's middle, for logs and walls: the first three and last two characters
// stay, and shorter ones lose all but the first.
func Mask(number string) string {
	runes := []rune(number)
	switch n := len(runes); {
	case n == 0:
		return ""
	case n <= 6:
		return string(runes[0]) + strings.Repeat("*", n-1)
	default:
		return string(runes[:3]) + strings.Repeat("*", n-5) + string(runes[n-2:])
	}
}
