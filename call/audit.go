package call

import "go.uber.org/zap"

// AuditName is the name of the logger that Audit returns, after a dot where log has one.
const AuditName = "audit"

// Audit is the logger of what has to be known afterwards: who saw or changed what, and each number outside that was dialled.
// Its lines are written whatever the least important line wanted is (cmd/hotline has a zap core that does so by the name).
func Audit(log *zap.Logger) *zap.Logger { return log.Named(AuditName) }
