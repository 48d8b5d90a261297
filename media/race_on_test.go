//go:build race

package media

// poolDrops is how many allocations a packet's way both ways may have with the race detector, which has sync.Pool lose
// some of what is put back: the cipher of AES_CM_128_HMAC_SHA1_80 keeps a buffer there.
const poolDrops = 1
