package acd

// RingProgressively rings the agents in the order of the configuration, one at first, and another each
// Queue.Progress while nobody answers.
const RingProgressively = "ring-progressively"

var ringProgressively = strategy{before: byNumber, key: numberInWords, fanOut: 1, progressive: true}
