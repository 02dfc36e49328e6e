"""Times one network of `torch_networks.py` in PyTorch, or its forward pass in PyTorch or ONNX Runtime: one line of JSON."""

import argparse
import io

import torch
from timed import report
from torch_networks import NETWORKS, multiply_adds


def torch_run(model, x, forward, memory_format):
    if x.dim() == 4:
        model, x = model.to(memory_format=memory_format), x.contiguous(memory_format=memory_format)
    if forward:
        model.eval()

        def predict():
            with torch.inference_mode():
                model(x)

        return predict
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    labels, loss_of = torch.arange(len(x)) % 10, torch.nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x), labels)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def onnx_run(model, x, threads):
    import onnxruntime

    file = io.BytesIO()
    torch.onnx.export(model.eval(), (x,), file, input_names=["x"], dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    images = x.numpy()
    return lambda: session.run(None, {"x": images})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--backend", choices=["contiguous", "channels_last", "onnxruntime"], required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--forward", action="store_true")
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(27)
    make, shape = NETWORKS[args.network]
    model, x = make(), torch.rand(args.batch, *shape)
    parameters, products = sum(p.numel() for p in model.parameters()), multiply_adds(model, shape)
    if args.backend == "onnxruntime":
        run = onnx_run(model, x, args.threads)
    else:
        format = torch.channels_last if args.backend == "channels_last" else torch.contiguous_format
        run = torch_run(model, x, args.forward, format)
    report(run, args.steps, parameters=parameters, multiply_adds=products)


if __name__ == "__main__":
    main()
