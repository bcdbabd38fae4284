/*
 * Leases: grant, transfer, revoke with a deadline, abort, crash and removal of the device. One resource (a block queue), two
 * partitions, a control plane. Messages between control plane and partitions take their time: what a partition does, and when the
 * control plane hears of it, are steps of their own.
 *
 * Checked for every interleaving: one owner at a time; no completion lost, duplicated or given to another partition's token; every
 * frame accounted for; a revocation ends, whatever its holder does (`-DLTL`).
 *
 * Each step prints itself and the state that it leaves. `test/lease/model.test.ts` has spin check the model, and replays simulations
 * against the code, which must be in the same state after every step.
 */

#define N 2        /* partitions are 1 and 2; 0 is nobody */
#define TOKENS 2   /* that a partition issues in its life */
#define FRAMES 2   /* of a partition; an outstanding token holds one */
#define GRANTS 3
#ifndef CALM
#define CALM 0     /* tokens that are issued before anything crashes or goes: 0 when checked, more for simulations worth a look */
#endif

mtype = { FREE, HELD, REVOKING }
mtype = { grant, refuse, revoke, transfer, answer, bury, remove,
          deadline, attach, push, complete, cancel, give_back, crash }
mtype = { NONE, GRANTED, ATTACHED, DETACHED, OVER }

mtype state = FREE
byte owner = 0
byte successor = 0       /* of a transfer that is under way */
bool removed = false     /* the device is gone */
byte grants = 0

bool alive[N + 1]
bool buried[N + 1]       /* the control plane knows that it is dead */
mtype control[N + 1]     /* control block of the lease that it was granted last */
/* Messages under way to a partition: at most one of each kind. `stale`: about a lease that has ended since. */
bool given[N + 1]
bool givenStale[N + 1]
bool asked[N + 1]
bool askedStale[N + 1]
bool answered[N + 1]     /* to the control plane: returned */
bool answeredStale[N + 1]

byte issued[N + 1]
byte outstanding[N + 1]  /* of the lease that it holds */
byte orphaned[N + 1]     /* of leases that were taken: to complete with ECANCELED */
byte completed[N + 1]
byte cancelled[N + 1]
byte lost[N + 1]         /* gone with their partition */
byte frames[N + 1]       /* free */

/* It lives, no message to it or from it is under way, and there is a grant left. */
#define isIdle(p) (alive[p] && !given[p] && !asked[p] && !answered[p] && grants < GRANTS)

#define mayFail (issued[1] + issued[2] >= CALM)

hidden byte i
hidden byte holders

inline check() {
  holders = 0
  for (i : 1 .. N) {
    if
    :: control[i] == GRANTED || control[i] == ATTACHED ->
      holders++
      assert(owner == i && state != FREE)
    :: else
    fi
    assert(issued[i] == outstanding[i] + orphaned[i] + completed[i] + cancelled[i] + lost[i])
    assert(outstanding[i] == 0 || control[i] == ATTACHED)
    assert(!alive[i] || frames[i] + outstanding[i] + orphaned[i] == FRAMES)
    assert(!buried[i] || owner != i)
  }
  assert(holders <= 1)
  assert((state == FREE) == (owner == 0))
  assert(successor == 0 || state == REVOKING)
}

inline did(action, p) {
  printf("ACT %e %d %e owner=%d", action, p, state, owner)
  printf(" 1:%d,%d,%d,%d,%d", outstanding[1], orphaned[1], completed[1], cancelled[1], frames[1])
  printf(" 2:%d,%d,%d,%d,%d\n", outstanding[2], orphaned[2], completed[2], cancelled[2], frames[2])
}

inline bind(p) {
  owner = p
  state = HELD
  control[p] = GRANTED
  given[p] = true
  givenStale[p] = false
}

/* The lease ends, and the resource goes to the successor in the same step. */
inline conclude() {
  orphaned[owner] = orphaned[owner] + outstanding[owner]
  outstanding[owner] = 0
  control[owner] = OVER
  givenStale[owner] = given[owner]
  askedStale[owner] = asked[owner]
  answeredStale[owner] = answered[owner]
  owner = 0
  state = FREE
  if
  :: successor != 0 && alive[successor] && !removed -> bind(successor)
  :: else
  fi
  successor = 0
}

proctype Control() {
  byte p
end:
  do
  :: atomic {
      select(p : 1 .. N)
      if
      :: state == FREE && !removed && isIdle(p) ->
        grants++
        bind(p)
        did(grant, p)
      :: state != FREE && alive[p] -> did(refuse, p)
      :: state == HELD && !asked[owner] && !answered[owner] ->
        p = owner
        state = REVOKING
        asked[p] = true
        askedStale[p] = false
        did(revoke, p)
      :: state == HELD && p != owner && isIdle(p) && !asked[owner] && !answered[owner] ->
        grants++
        successor = p
        state = REVOKING
        asked[owner] = true
        askedStale[owner] = false
        did(transfer, p)
      :: answered[p] ->
        answered[p] = false
        if
        :: !answeredStale[p] -> conclude()
        :: else -> answeredStale[p] = false
        fi
        did(answer, p)
      :: !alive[p] && !buried[p] ->
        buried[p] = true
        if
        :: owner == p -> conclude()
        :: else
        fi
        lost[p] = lost[p] + orphaned[p]
        orphaned[p] = 0
        did(bury, p)
      :: !removed && mayFail ->
        removed = true
        if
        :: state != FREE -> conclude()
        :: else
        fi
        did(remove, 0)
      :: else
      fi
      p = 0
      check()
    }
  od
}

/* A process of its own, so that nothing that the others do can keep it from its turn. */
proctype Deadline() {
  byte p
end:
  do
  :: atomic {
      state == REVOKING ->
      p = owner
      conclude()
      did(deadline, p)
      p = 0
      check()
    }
  od
}

proctype Partition(byte p) {
end:
  do
  :: atomic {
      if
      :: alive[p] && given[p] ->
        given[p] = false
        if
        :: !givenStale[p] -> control[p] = ATTACHED
        :: else -> givenStale[p] = false /* refused: ESTALE */
        fi
        did(attach, p)
      :: alive[p] && control[p] == ATTACHED && issued[p] < TOKENS ->
        issued[p]++
        outstanding[p]++
        frames[p]--
        did(push, p)
      :: alive[p] && outstanding[p] > 0 && !removed ->
        outstanding[p]--
        completed[p]++
        frames[p]++
        did(complete, p)
      :: alive[p] && orphaned[p] > 0 ->
        orphaned[p]--
        cancelled[p]++
        frames[p]++
        did(cancel, p)
      /* It gives back in order what it was asked for, when nothing of it is outstanding. Too late, it does nothing. */
      :: alive[p] && asked[p] && !given[p] && (askedStale[p] || outstanding[p] == 0) ->
        asked[p] = false
        if
        :: askedStale[p] -> askedStale[p] = false
        :: else ->
          control[p] = DETACHED
          answered[p] = true
          answeredStale[p] = false
        fi
        did(give_back, p)
      :: alive[p] && mayFail ->
        alive[p] = false
        if
        /* A message that cannot be delivered is an answer. */
        :: owner == p && ((asked[p] && !askedStale[p]) || (given[p] && !givenStale[p])) ->
          given[p] = false
          asked[p] = false
          conclude()
        :: else
        fi
        given[p] = false
        asked[p] = false
        givenStale[p] = false
        askedStale[p] = false
        lost[p] = lost[p] + outstanding[p] + orphaned[p]
        outstanding[p] = 0
        orphaned[p] = 0
        frames[p] = FRAMES
        did(crash, p)
      :: alive[p] -> skip /* or does nothing, for as long as it likes */
      fi
      check()
    }
  od
}

init {
  atomic {
    for (i : 1 .. N) {
      alive[i] = true
      frames[i] = FRAMES
      control[i] = NONE
    }
    run Control()
#ifndef NO_DEADLINE
    run Deadline()
#endif
    run Partition(1)
    run Partition(2)
  }
}

#ifdef LTL
ltl back { [] (state == REVOKING -> <> (state != REVOKING)) }
#endif
