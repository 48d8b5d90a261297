package acd

// Linear rings one agent at a time, always the first who is ready in the order of the configuration.
const Linear = "linear"

var linear = strategy{before: byNumber, key: numberInWords, fanOut: 1}
