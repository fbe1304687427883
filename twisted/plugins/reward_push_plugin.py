"""Makes ``twistd reward-push`` known. Imported by every twistd: it imports nothing of the package."""

from twisted.application.service import ServiceMaker

reward_push = ServiceMaker(
    "reward-push",
    "reward_push.tap",
    "Push server: reward codes and notifications for stock Socket.IO clients.",
    "reward-push",
)
