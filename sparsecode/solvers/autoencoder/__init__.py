"""Sparse autoencoders: one prox step as an encoder, unit atoms as a decoder, gradients written out.

    z = act((x W^T) + b_e),     x' = z D + b,     minimise  E 1/2 ||x' - t||^2 + cost(z)        t = x, or another target

A batch passes through three functions of `gradients`, on codes in compressed rows (`Codes`):

    codes = activation.codes(parameters, X)                          the encoder's product is the only dense one
    made = reconstruct(parameters, codes, target, structure)         residuals, their loss, its slope in every entry of the codes
    add_decoder_gradients, add_encoder_gradients                     what that says of the parameters

Extension points, all of them plain objects:

* an *activation* (`activations`): ``codes(parameters, X, life=None, n_jobs=None) -> Codes``, where `life` (`Life`: silence and density of latents, random
  numbers) is None outside of training. Each entry of `Codes` carries its value and the slopes of the value in the pre-activation and in the
  threshold, so a selection that is no function of the pre-activation alone fits too. An activation that learns from what it kept has
  ``settle(parameters, codes, life)``, called after each step.
* a *structure* (`structures`): which entries of a code take part in which of several nested reconstructions. ``levels(codes, n_latents)`` gives each
  entry the first level that it takes part in, ``weights`` the share of each level in the loss. One level is the flat autoencoder; prefixes of latents are
  Matryoshka; ranks of the entries are HierarchicalTopK.
* a *term*: ``term(parameters, X, made, gradients, life) -> float`` adds a loss, and its gradients in place: dead latents that reconstruct
  the residual, decoder rows that push each other apart, contrast between samples.
* a *renewal*: ``renewal(learner, X, made)``, called after a step, may change latents and what Adam knows of them: resampling.

A model with an encoder of its own (matching pursuit) brings ``loss_and_gradients`` with the signature of that in `gradients`.

`dense` holds the same loss on dense codes for arrays that live elsewhere (torch, CuPy), and is what the compiled path is tested against.
"""
