//! Replay, where two trajectories part.

use crate::experience::Trajectory;

/// Two trajectories up to where they part, and what each did then.
pub fn parting(one: &Trajectory, other: &Trajectory) -> Vec<String> {
    let actions = |trajectory: &Trajectory| {
        trajectory.steps.iter().map(|step| step.action.clone()).collect::<Vec<_>>()
    };
    let left = actions(one);
    let right = actions(other);
    let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let mut lines = vec![
        format!(
            "{:<52} {}",
            format!("{} · {} by {}", one.id, one.task, one.by()),
            format!("{} · {} by {}", other.id, other.task, other.by())
        ),
        String::new(),
    ];
    if one.task_id != other.task_id {
        lines.push("These are two different tasks.".into());
    }
    lines.push(format!("{same} steps alike:"));
    lines.extend(
        left[..same].iter().enumerate().map(|(t, action)| format!("{:>3} = {action}", t + 1)),
    );
    let rest = left.len().max(right.len());
    if same < rest {
        lines.push("then:".into());
    }
    for t in same..rest {
        let of = |actions: &[String]| actions.get(t).cloned().unwrap_or_else(|| "—".into());
        lines.push(format!("{:>3} {:<48} {}", t + 1, of(&left), of(&right)));
    }
    let end = |trajectory: &Trajectory| if trajectory.success() { "won" } else { "not won" };
    lines.push(format!("    {:<48} {}", end(one), end(other)));
    lines
}
