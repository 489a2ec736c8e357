//! Optimizer: from gradients to better parameters.
//!
//! AdamW with decoupled decay, gradients clipped by their common norm, a rate that rises and then
//! falls as a cosine to 0, and a mean of the parameters over the last steps, which is what is
//! validated and kept. Plain arithmetic in a fixed order: the same gradients give the same bits.

use super::parameters::Parameter;
use super::recipe::Optimization;

/// Number added to the root of a gradient's mean square, as in PyTorch.
const EPSILON: f64 = 1e-8;

/// Parameters on their way, and all that the next step depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Steps that were made.
    pub step: u64,
    /// The parameters.
    pub parameters: Vec<Parameter>,
    /// Decaying mean of the gradients, in the parameters' order.
    pub mean: Vec<Vec<f32>>,
    /// Decaying mean of their squares.
    pub square: Vec<Vec<f32>>,
    /// Decaying mean of the parameters, before its bias is corrected.
    pub average: Vec<Vec<f32>>,
}

impl State {
    /// Before the first step.
    #[must_use]
    pub fn new(parameters: Vec<Parameter>) -> Self {
        let zeros: Vec<_> =
            parameters.iter().map(|parameter| vec![0.0; parameter.values.len()]).collect();
        Self { step: 0, parameters, mean: zeros.clone(), square: zeros.clone(), average: zeros }
    }

    /// Makes a step: `gradients` in the parameters' order. Gives the gradients' norm before it was
    /// clipped.
    ///
    /// # Edge cases
    /// A norm that is not finite changes nothing but the number of the step.
    ///
    /// # Sources
    /// Loshchilov, Hutter 2019, Decoupled weight decay regularization, algorithm 2,
    /// arXiv 1711.05101. Pascanu et al. 2013, On the difficulty of training recurrent neural
    /// networks, algorithm 1, arXiv 1211.5063.
    pub fn advance(&mut self, gradients: &[Vec<f32>], recipe: &Optimization) -> f64 {
        let squares = gradients.iter().flatten().map(|by| f64::from(*by) * f64::from(*by));
        let norm = squares.sum::<f64>().sqrt();
        let rate = rate(self.step, recipe);
        self.step += 1;
        if norm.is_finite() {
            let clip = if norm > recipe.clip_norm { recipe.clip_norm / norm } else { 1.0 };
            self.adam_step(gradients, clip as f32, rate, recipe);
        }
        let keep = recipe.ema_decay as f32;
        for (average, parameter) in self.average.iter_mut().zip(&self.parameters) {
            for (average, value) in average.iter_mut().zip(&parameter.values) {
                *average = keep * *average + (1.0 - keep) * value;
            }
        }
        norm
    }

    fn adam_step(&mut self, gradients: &[Vec<f32>], clip: f32, rate: f64, recipe: &Optimization) {
        let (beta_1, beta_2) = (recipe.beta_1 as f32, recipe.beta_2 as f32);
        let corrected = |beta: f64| 1.0 - libm::pow(beta, self.step as f64);
        let root = corrected(recipe.beta_2).sqrt();
        let length = (rate / corrected(recipe.beta_1)) as f32;
        let (root, epsilon) = (root.recip() as f32, EPSILON as f32);
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((parameter, by), (mean, square)) in
            self.parameters.iter_mut().zip(gradients).zip(moments)
        {
            let decay = if parameter.decays() { recipe.weight_decay } else { 0.0 };
            let decay_factor = (1.0 - rate * decay) as f32;
            let moments = mean.iter_mut().zip(square);
            for ((value, by), (mean, square)) in parameter.values.iter_mut().zip(by).zip(moments) {
                let by = clip * by;
                *mean = beta_1 * *mean + (1.0 - beta_1) * by;
                *square = beta_2 * *square + (1.0 - beta_2) * by * by;
                *value = decay_factor * *value - length * *mean / (square.sqrt() * root + epsilon);
            }
        }
    }

    /// The mean of the parameters over the last steps; the parameters themselves before the first.
    ///
    /// # Sources
    /// Polyak, Juditsky 1992, Acceleration of stochastic approximation by averaging,
    /// doi:10.1137/0330046; the correction of the bias as in Kingma, Ba 2015, section 3.
    #[must_use]
    pub fn averaged_parameters(&self, recipe: &Optimization) -> Vec<Parameter> {
        let mut parameters = self.parameters.clone();
        if self.step > 0 {
            // As it was summed: with the decay rounded to single precision.
            let keep = f64::from(recipe.ema_decay as f32);
            let factor = (1.0 - libm::pow(keep, self.step as f64)).recip() as f32;
            for (parameter, average) in parameters.iter_mut().zip(&self.average) {
                parameter.values.clear();
                parameter.values.extend(average.iter().map(|average| average * factor));
            }
        }
        parameters
    }
}

/// The learning rate of a step: rises evenly during warm-up, then falls as a cosine to 0; from every
/// restart it falls anew.
///
/// # Sources
/// Loshchilov, Hutter 2017, SGDR, equation 5, arXiv 1608.03983.
#[must_use]
pub fn rate(step: u64, recipe: &Optimization) -> f64 {
    if step < recipe.warm_up_steps {
        return recipe.rate * (step + 1) as f64 / recipe.warm_up_steps as f64;
    }
    let (past, ahead) = recipe.restarts_around(step);
    let (first, greatest) = match past.last() {
        Some(restart) => (restart.step, restart.rate),
        None => (recipe.warm_up_steps, recipe.rate),
    };
    let end = ahead.first().map_or(recipe.steps, |restart| restart.step);
    let falling = end.saturating_sub(first).max(1);
    let part = (step - first) as f64 / falling as f64;
    greatest * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * part.min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Restart;

    fn recipe() -> Optimization {
        Optimization {
            steps: 100,
            rate: 0.1,
            warm_up_steps: 10,
            weight_decay: 0.5,
            clip_norm: 5.0,
            ema_decay: 0.75,
            ..Optimization::default()
        }
    }

    fn state(shape: &[usize], values: &[f32]) -> State {
        let parameter =
            Parameter { name: "p".into(), shape: shape.to_vec(), values: values.to_vec() };
        State::new(vec![parameter])
    }

    #[track_caller]
    fn check_rate(step: u64, expected: f64) {
        assert!((rate(step, &recipe()) - expected).abs() < 1e-12, "{}", rate(step, &recipe()));
    }

    #[test]
    fn the_rate_rises_and_falls_to_nothing() {
        check_rate(0, 0.01);
        check_rate(9, 0.1);
        check_rate(10, 0.1);
        check_rate(55, 0.05);
        check_rate(100, 0.0);
        check_rate(1000, 0.0);
    }

    #[test]
    fn the_rate_falls_anew_from_a_restart_and_before_it_as_without() {
        let once = recipe();
        let restarts = vec![Restart { step: 100, rate: 0.04, intensity: None }];
        let twice = Optimization { steps: 300, restarts, ..recipe() };
        assert!((0..100).all(|step| rate(step, &once) == rate(step, &twice)));
        for (step, expected) in [(100, 0.04), (200, 0.02), (300, 0.0)] {
            assert!((rate(step, &twice) - expected).abs() < 1e-12, "{}", rate(step, &twice));
        }
    }

    #[test]
    fn the_first_step_is_the_rate_against_the_gradients_sign() {
        // Both moments corrected for their bias are the gradient and its square.
        let mut state = state(&[2], &[1.0, 1.0]);
        let norm = state.advance(&[vec![0.3, -0.4]], &recipe());
        assert!((norm - 0.5).abs() < 1e-7);
        let [first, second] = state.parameters[0].values[..] else { unreachable!() };
        assert!((first - 0.99).abs() < 1e-6 && (second - 1.01).abs() < 1e-6, "{first} {second}");
    }

    #[test]
    fn decay_draws_convolutions_and_nothing_else() {
        let mut convolution = state(&[1, 1], &[2.0]);
        convolution.advance(&[vec![0.0]], &recipe());
        // One less rate 0.01 times decay 0.5.
        assert!((convolution.parameters[0].values[0] - 2.0 * 0.995).abs() < 1e-6);
        let mut bias = state(&[1], &[2.0]);
        bias.advance(&[vec![0.0]], &recipe());
        assert_eq!(bias.parameters[0].values, [2.0]);
    }

    #[test]
    fn gradients_are_clipped_by_their_common_norm() {
        let mut clipped = state(&[2], &[0.0, 0.0]);
        clipped.advance(&[vec![30.0, 40.0]], &recipe());
        let mut small = state(&[2], &[0.0, 0.0]);
        small.advance(&[vec![3.0, 4.0]], &recipe());
        assert_eq!(clipped.mean, small.mean);
        let mut torn = state(&[1], &[1.0]);
        torn.advance(&[vec![f32::NAN]], &recipe());
        assert_eq!((torn.parameters[0].values[0], torn.step), (1.0, 1));
    }

    #[test]
    fn the_average_weighs_the_last_steps_most() {
        let mut state = state(&[1], &[1.0]);
        let still = Optimization { rate: 0.0, ..recipe() };
        state.advance(&[vec![1.0]], &still);
        assert_eq!(state.averaged_parameters(&still)[0].values, [1.0]);
        state.parameters[0].values[0] = 2.0;
        state.advance(&[vec![1.0]], &still);
        // (0.75 x 1 + 2) / (0.75 + 1).
        assert!((state.averaged_parameters(&still)[0].values[0] - 2.75 / 1.75).abs() < 1e-6);
    }
}
